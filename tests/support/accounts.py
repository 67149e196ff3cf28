"""Runs code as an account that is not root."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from incidents.store import StoreUnavailable

NOBODY = 65534


def give_away(folder: Path) -> None:
    """Let the folder be another account's than this process's, where that may be decided."""
    if os.geteuid() == 0:
        os.chown(folder, NOBODY, NOBODY)


def said_by_ordinary_user(work: Callable[[], object]) -> str:
    """Do ``work`` in a child that is not root; its sentence, what it gave as text, or 'written'."""
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(read)
        said = "written"
        try:
            if os.geteuid() == 0:
                os.setgid(NOBODY)
                os.setuid(NOBODY)
            given = work()
            said = given if isinstance(given, str) else said
        except StoreUnavailable as error:
            said = error.sentence.en
        except BaseException as error:  # noqa: BLE001 - a child of fork must not run on
            said = repr(error)
        os.write(write, said.encode())
        os._exit(0)
    os.close(write)
    with os.fdopen(read, "rb") as pipe:
        said = pipe.read().decode()
    os.waitpid(child, 0)
    return said
