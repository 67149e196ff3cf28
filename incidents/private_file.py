"""A file that nobody else may read, and that stays with the account that is to use it.

Why: a command of root's must not lock out the daemon that has an account of its own. Promise: what
root makes belongs to whom its folder belongs to; what lay there before is given to nobody, and no
link in the way is followed.
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
