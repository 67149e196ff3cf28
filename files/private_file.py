"""Creates files readable only by their owner, with the right owner when run as root.

A file that root creates gets the owner of its folder, so that a command run as root does not lock
out the daemon. An existing file, or a link in its place, is an error.
"""

from __future__ import annotations

import os
from pathlib import Path


def open_new(file: Path, access: int) -> int:
    """A descriptor of a file that did not exist, private to its owner. Raises ``OSError``."""
    handle = os.open(file, access | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        if os.geteuid() == 0:
            owner = file.absolute().parent.stat()
            os.fchown(handle, owner.st_uid, owner.st_gid)
    except OSError:
        os.close(handle)
        raise
    return handle
