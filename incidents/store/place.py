"""Checks that a SQLite store's file and folder are usable, and names the owner and the command if
not.

The check changes nothing. A store that root creates gets the owner of its folder, so that ``sudo
sigap people add`` does not lock the service out; SQLite gives its journals the owner and the mode
of the file (os_unix.c, findCreateFileMode).
"""

from __future__ import annotations

import grp
import os
import pwd
from contextlib import suppress
from pathlib import Path

from files.private_file import open_new
from probes import Text

_NO_FOLDER = Text("The store's folder {folder} does not exist; make it, or change `store`.")
_READ_ONLY_VOLUME = Text(
    "The store {path} is read-only; give its volume the right to write again, once dmesg has said "
    "why it lost it."
)
_OTHERS = Text(
    "{path} of the store belongs to {owner}, and {account} may not write to it; "
    "run: chown {account}: {named}"
)
_OWN = Text(
    "{path} of the store may not be written by its owner, {account}; run: chmod {mode} {named}"
)

_NO_STORE = Text("The store {file} does not exist yet; run Sigap first, or change `store`.")
_NOT_TO_READ = Text(
    "{path} of the store may not be read by {account}; run: "
    "usermod -aG {group} {account} && chmod g+rX {folder} {file}*"
)


def objection(file: Path) -> Text | None:
    """Why this process cannot keep a store in ``file``, with the command that fixes it."""
    folder = file.absolute().parent
    if not os.path.isdir(folder):  # unlike Path's, False where one may not look
        return _NO_FOLDER.format(folder=folder)
    if not os.access(folder, os.R_OK | os.W_OK | os.X_OK):
        return _closed(folder, str(folder), "u+rwx")
    for each in _files(file):
        if each.exists() and not os.access(each, os.R_OK | os.W_OK):
            return _closed(each, f"{file}*", "u+rw")
    return None


def objection_to_reading(file: Path, otherwise: Text) -> Text | None:
    """Why this process cannot even read the store, with the command that fixes it.

    ``otherwise`` is why it cannot keep one there; its owner gets that message.
    """
    folder = file.absolute().parent
    if not os.path.isdir(folder):
        return otherwise
    if not os.access(folder, os.X_OK):
        return _not_to_read(folder, file, otherwise)
    if not file.exists():
        return _NO_STORE.format(file=file)
    for each in _files(file):
        if each.exists() and not os.access(each, os.R_OK):
            return _not_to_read(each, file, otherwise)
    return None


def owner(file: Path) -> str:
    """The account a file belongs to."""
    return _name(file.stat().st_uid)


def make_private(file: Path) -> None:
    """A new store is its owner's alone: the process's, or its folder's when root makes it."""
    with suppress(OSError):  # there already, or SQLite itself says why it cannot be
        os.close(open_new(file, os.O_RDWR))


def _files(file: Path) -> tuple[Path, ...]:
    """The store with what SQLite may keep beside it."""
    return tuple(Path(f"{file}{end}") for end in ("", "-wal", "-shm", "-journal"))


def _not_to_read(path: Path, file: Path, otherwise: Text) -> Text:
    found, account = path.stat(), _name(os.geteuid())
    if found.st_uid == os.geteuid():
        return otherwise
    return _NOT_TO_READ.format(
        path=path,
        account=account,
        group=_group(found.st_gid),
        folder=file.absolute().parent,
        file=file,
    )


def _closed(path: Path, named: str, mode: str) -> Text:
    if os.statvfs(path).f_flag & os.ST_RDONLY:
        return _READ_ONLY_VOLUME.format(path=path)
    owner, account = _name(path.stat().st_uid), _name(os.geteuid())
    if owner == account:
        return _OWN.format(path=path, account=account, mode=mode, named=named)
    return _OTHERS.format(path=path, owner=owner, account=account, named=named)


def _name(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


def _group(gid: int) -> str:
    try:
        return grp.getgrgid(gid).gr_name
    except KeyError:
        return str(gid)
