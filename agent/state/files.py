"""Why: what the agent keeps must survive a crash, and a command of root's must not take it away
from the daemon that has an account of its own.

Promise: a file is the old one or the new one, flushed to the disk. What root makes belongs to whom
its folder belongs to (``incidents.private_file``), folders too.
"""

from __future__ import annotations

import os
from pathlib import Path

from incidents.private_file import open_new


def write_whole(file: Path, text: str) -> None:
    """Replace a file by its new text, or leave the old one. Raises ``OSError``.

    For one writer at a time.
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
    """A descriptor to read and write ``file``, made if there is none. Raises ``OSError``."""
    while True:
        try:
            return os.open(file, os.O_RDWR | os.O_NOFOLLOW)
        except FileNotFoundError:
            try:
                return open_new(file, os.O_RDWR)
            except FileExistsError:  # another process was quicker
                continue


def make_folder(folder: Path, mode: int = 0o700) -> None:
    """Make ``folder``, and what is missing above it as the umask says. Raises ``OSError``."""
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
