"""Reads a secret from a file that only its owner can read.

An unreadable, empty or too widely readable file is an error with the command that fixes it; the
secret itself never appears in a message.
"""

from __future__ import annotations

import stat
from collections.abc import Mapping
from pathlib import Path as File


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
