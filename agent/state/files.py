"""Writes files of the state folder durably and with the right owner.

A file is the old one or the new one, flushed to the disk. Files and folders that root creates get
the owner of their folder (``files.private_file``).
"""

from __future__ import annotations

import os
from pathlib import Path

from files.private_file import open_new


def write_whole(file: Path, text: str) -> None:
    """Replace a file by its new text, or leave the old one. Raises ``OSError``.

    Only for a single writer at a time.
    """
    fresh = file.with_name(file.name + ".new")
    fresh.unlink(missing_ok=True)  # of a process that was killed
    with os.fdopen(open_new(fresh, os.O_WRONLY), "w", encoding="utf-8") as out:
        out.write(text)
        out.flush()
        os.fsync(out.fileno())
    fresh.replace(file)
    folder = os.open(file.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def open_or_make(file: Path) -> int:
    """A descriptor to read and write ``file``, created if missing. Raises ``OSError``."""
    while True:
        try:
            return os.open(file, os.O_RDWR | os.O_NOFOLLOW)
        except FileNotFoundError:
            try:
                return open_new(file, os.O_RDWR)
            except FileExistsError:  # another process was quicker
                continue


def make_folder(folder: Path, mode: int = 0o700) -> None:
    """Create ``folder`` and its missing parents (with the umask). Raises ``OSError``."""
    above = folder.absolute().parent
    if not above.is_dir():
        make_folder(above, 0o777)
    try:
        folder.mkdir(mode=mode)
    except FileExistsError:
        if not folder.is_dir():
            raise
        return
    if os.geteuid() == 0:
        owner = above.stat()
        os.chown(folder, owner.st_uid, owner.st_gid, follow_symlinks=False)
