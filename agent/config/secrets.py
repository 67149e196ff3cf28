"""Reads a secret from a file that only its owner can read.

An unreadable, empty or too widely readable file is an error with the command that fixes it; the
secret itself never appears in a message.
"""

from __future__ import annotations

import stat
from collections.abc import Mapping
from functools import partial
from pathlib import Path as File

from probes.wire.rotation import RenewableSecret


class SecretError(Exception):
    """The secret cannot be used; one sentence."""


def read_secret(name: str, beside: File, environment: Mapping[str, str]) -> str:
    """The first line of the secret file ``name``; relative names are beside the configuration.

    Files under systemd's ``$CREDENTIALS_DIRECTORY`` are already private and only read.
    Raises ``SecretError``.
    """
    file = beside / name
    try:
        mode = file.stat().st_mode
        text = file.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise SecretError(f"{file} does not exist; put the password into it, mode 0600") from None
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "not UTF-8 text"
        raise SecretError(f"{file} cannot be read: {reason}") from None
    credentials = environment.get("CREDENTIALS_DIRECTORY", "")
    private = bool(credentials) and file.resolve().is_relative_to(File(credentials).resolve())
    if not private and mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise SecretError(f"{file} can be read by others; run: chmod 600 {file}")
    secret = text.partition("\n")[0].rstrip("\r")
    if not secret:
        raise SecretError(f"{file} is empty; put the password into its first line")
    return secret


class FileSecret(RenewableSecret):
    """A secret from a file, read again on request, once per change of the file."""

    __slots__ = ("_changed_ns", "_file", "_read")

    def __init__(self, name: str, beside: File, environment: Mapping[str, str]) -> None:
        """Raises ``SecretError``."""
        self._file = beside / name
        self._read = partial(read_secret, name, beside, environment)
        self._changed_ns = self._modified()
        super().__init__(self._read())

    def renewed(self) -> bool:
        """Read the file again if it changed; an unusable one keeps the secret as it was."""
        changed = self._modified()
        if changed in (None, self._changed_ns):
            return False
        self._changed_ns = changed
        try:
            value = self._read()
        except SecretError:
            return False
        before, self._value = self._value, value
        return value != before

    def _modified(self) -> int | None:
        try:
            return self._file.stat().st_mtime_ns
        except OSError:
            return None
