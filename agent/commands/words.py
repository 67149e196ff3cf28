"""Shared by commands: language, JSON and text output, password input."""

from __future__ import annotations

import argparse
import dataclasses
import getpass
import json
import sys
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from enum import Enum, IntEnum
from pathlib import Path
from typing import Any

from agent.config import Config, ConfigError, find, load
from agent.errors import LocalizedError
from files.problems import meant
from probes import Secret, Target, Text

_NO_TARGET = Text("no target '{name}'; {meant}")
_NO_INPUT = Text(
    "no password came from standard input; write it there in one line, or name its file with "
    "--password-file FILE"
)
_UNREADABLE = Text("the password file {file} cannot be read: {error}")
_EMPTY = Text("the password file {file} is empty; write the password into its first line")
_AGAIN = Text("{prompt}, again")
_DIFFER = Text("the two passwords differ, so nothing was changed; try again")


def language_of(given: argparse.Namespace, config: Config) -> str:
    """The language of a command: from ``--lang``, or the configured one."""
    asked: str | None = getattr(given, "lang", None)
    return asked or config.language


def language_without_config(given: argparse.Namespace) -> str:
    """The same for a command that needs no configuration and may come before there is a good one.

    A file that ``-c`` names must be good. Raises ``ConfigError``.
    """
    try:
        return given.lang or load(find(given.config), logins=False).language
    except ConfigError:
        if given.config is not None:
            raise
        return "id"  # the configuration's own default


def target_named(name: str, config: Config) -> Target:
    """The configured target of that name; raises ``LocalizedError``."""
    watched = {target.name: target for target in config.targets}
    if name not in watched:
        raise LocalizedError(_NO_TARGET.format(name=name, meant=meant(name, watched)))
    return watched[name]


def plain(value: Any) -> Any:
    """A value of the project as JSON-compatible values; secrets stay stars.

    A text is written in each recorded language.
    """
    if isinstance(value, Text):
        return value.recorded
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = dataclasses.fields(value)
        return {f.name: plain(getattr(value, f.name)) for f in fields if not f.name.startswith("_")}
    if isinstance(value, IntEnum):
        return value.name.lower()
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, date | datetime):
        return value.isoformat()
    if isinstance(value, Secret):
        return str(value)
    if isinstance(value, Mapping):
        return {str(plain(key)): plain(each) for key, each in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [plain(each) for each in value]
    return value


def print_json(value: Any) -> None:
    print(json.dumps(plain(value), ensure_ascii=False, indent=2))


def table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Aligned columns with headings."""
    lines = [tuple(heads), *(tuple(row) for row in rows)]
    widths = [max(len(line[i]) for line in lines) for i in range(len(heads))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in lines
    )


def password(file: str | None, prompt: Text, language: str, twice: bool = False) -> str:
    """A password from a file, a terminal or standard input; never from the command line.

    Raises ``LocalizedError``.
    """
    if file is not None:
        try:
            text = Path(file).read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise LocalizedError(_UNREADABLE.format(file=file, error=error)) from None
        return _first_line(text, _EMPTY.format(file=file))
    if not sys.stdin.isatty():
        return _first_line(sys.stdin.read(), _NO_INPUT)
    given = getpass.getpass(f"{prompt.said_in(language)}: ")
    again = _AGAIN.format(prompt=prompt).said_in(language)
    if twice and getpass.getpass(f"{again}: ") != given:
        raise LocalizedError(_DIFFER)
    return given


def _first_line(text: str, otherwise: Text) -> str:
    line = text.partition("\n")[0].rstrip("\r")
    if not line:
        raise LocalizedError(otherwise)
    return line
