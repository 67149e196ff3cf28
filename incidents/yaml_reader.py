"""Strict reader of YAML data files: collects every problem, each with its line.

YAML 1.2, so ``16:00`` and ``no`` stay what they look like; a duplicate key is refused. A problem is
recorded and reading continues with a harmless value; the caller checks ``problems`` at the end and
uses nothing if there are any.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from datetime import date, datetime
from io import StringIO
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError

from incidents.ledger.canonical_json import canonical, digest
from probes import Text


class Problems(list[str]):
    """The problems of a file, in the order they were found."""


class Entry:
    """One mapping of the file, with its place."""

    def __init__(self, value: Any, path: str, line: int, problems: Problems) -> None:
        self.path = path
        self.line = line
        self.problems = problems
        self.value = value if isinstance(value, dict) else {}
        if not isinstance(value, dict):
            self.wrong("expected a block of named values")

    def wrong(self, message: str, key: str = "") -> None:
        """Record a problem of this entry, or of one of its keys."""
        path = ".".join(part for part in (self.path, key) if part) or "the file"
        self.problems.append(f"line {self._line(key)}: {path}: {message}")

    def only(self, allowed: Iterable[str]) -> None:
        """Refuse unknown keys."""
        known = sorted(allowed)
        for key in self.value:
            if key not in known:
                self.wrong(f"unknown key; known here: {', '.join(known)}", str(key))

    def has(self, key: str) -> bool:
        return self.value.get(key) is not None

    def string(self, key: str, default: str | None = None) -> str:
        """A non-empty string; ``default`` when the key is absent."""
        value = self._get(key, default)
        if value is None or value == default:
            return value or ""
        if not isinstance(value, str) or not value.strip():
            self.wrong("expected a text", key)
            return ""
        return str(value)

    def text(self, key: str, default: Text | None = None) -> Text:
        """A text in both languages: ``{id: …, en: …}``."""
        value = self._get(key, default)
        if value is None or isinstance(value, Text):
            return value or Text("", "")
        if (
            not isinstance(value, dict)
            or set(value) != {"id", "en"}
            or not all(isinstance(words, str) and words.strip() for words in value.values())
        ):
            self.wrong("expected the text in both languages: {id: …, en: …}", key)
            return Text("", "")
        return Text(str(value["id"]), str(value["en"]))

    def integer(self, key: str, default: int | None = None) -> int:
        value = self._get(key, default)
        if value is None:
            return 0
        if isinstance(value, bool) or not isinstance(value, int):
            self.wrong("expected a whole number", key)
            return 0
        return int(value)

    def number(self, key: str, default: float | None = None) -> float:
        value = self._get(key, default)
        if value is None:
            return 0.0
        if (
            isinstance(value, bool)
            or not isinstance(value, int | float)
            or not math.isfinite(value)
        ):
            self.wrong("expected a number", key)
            return 0.0
        return float(value)

    def boolean(self, key: str, default: bool | None = None) -> bool:
        value = self._get(key, default)
        if value is None:
            return False
        if not isinstance(value, bool | int) or value not in (0, 1):
            self.wrong("expected true or false", key)
            return False
        return bool(value)

    def day(self, key: str, optional: bool = False) -> date | None:
        """A date written 2026-07-02."""
        if optional and not self.has(key):
            return None
        value = self._get(key, None)
        if isinstance(value, date) and not isinstance(value, datetime):
            return date(value.year, value.month, value.day)
        if isinstance(value, str):
            try:
                return date.fromisoformat(value)
            except ValueError:
                pass
        if value is not None:
            self.wrong("expected a date like 2026-07-02", key)
        return None

    def strings(self, key: str) -> tuple[str, ...]:
        return tuple(str(v) for v in self._list(key, str, "texts"))

    def integers(self, key: str) -> tuple[int, ...]:
        return tuple(int(v) for v in self._list(key, int, "whole numbers"))

    def entry(self, key: str) -> Entry:
        """The block under ``key``; an empty one when it is missing (and that is a problem)."""
        path = ".".join(part for part in (self.path, key) if part)
        value = self._get(key, None)
        if value is None:  # said once; what is missing inside is not worth a line each
            return Entry({}, path, self.line, Problems())
        return Entry(value, path, self._line(key), self.problems)

    def entries(self, key: str) -> list[Entry]:
        """The list of blocks under ``key``; none when it is absent."""
        values = self.value.get(key)
        if values is None:
            return []
        if not isinstance(values, list):
            self.wrong("expected a list", key)
            return []
        path = ".".join(part for part in (self.path, key) if part)
        return [
            Entry(value, f"{path}[{i}]", _item_line(values, i), self.problems)
            for i, value in enumerate(values)
        ]

    def named(self, key: str) -> dict[str, Entry]:
        """The blocks under ``key`` by name, in the file's order."""
        inner = self.entry(key)
        return {
            str(name): Entry(value, f"{inner.path}.{name}", inner._line(name), self.problems)
            for name, value in inner.value.items()
        }

    def _list(self, key: str, kind: type, words: str) -> list[Any]:
        values = self.value.get(key)
        if values is None:
            return []
        if not isinstance(values, list) or not all(
            isinstance(v, kind) and not isinstance(v, bool) for v in values
        ):
            self.wrong(f"expected a list of {words}", key)
            return []
        return values

    def _get(self, key: str, default: Any) -> Any:
        if key in self.value and self.value[key] is not None:
            return self.value[key]
        if default is None:
            self.wrong("is missing", key)
        return default

    def _line(self, key: str = "") -> int:
        marks = getattr(self.value, "lc", None)
        data = getattr(marks, "data", None) or {}
        return int(data[key][0]) + 1 if key in data else self.line


def _item_line(values: Any, index: int) -> int:
    marks = getattr(values, "lc", None)
    data = getattr(marks, "data", None) or {}
    return int(data[index][0]) + 1 if index in data else 0


def read(text: str, problems: Problems) -> Entry:
    """The file's outermost block. A file that is no YAML is one problem."""
    yaml = YAML(typ="rt")
    yaml.version = (1, 2)
    try:
        value = yaml.load(StringIO(text))
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = mark.line + 1 if mark else 0
        words = str(error.problem or error.context or "not YAML").strip().splitlines()[0]
        problems.append(f"line {line}: {words}")
        return Entry({}, "", line, Problems())
    except YAMLError as error:
        problems.append(f"line 0: {str(error).splitlines()[0]}")
        return Entry({}, "", 0, Problems())
    if not isinstance(value, dict):
        problems.append("line 1: the file: expected named values")
        return Entry({}, "", 1, Problems())
    return Entry(value, "", 1, problems)


def plain(value: Any) -> Any:
    """File values as JSON values, without the marks of the reader."""
    if isinstance(value, dict):
        return {str(key): plain(inner) for key, inner in value.items() if inner is not None}
    if isinstance(value, list):
        return [plain(inner) for inner in value]
    if isinstance(value, date):
        return value.isoformat()
    for kind in (str, int, float):
        if isinstance(value, bool):
            return value
        if isinstance(value, kind):
            return kind(value)
    return value


def content(value: Any) -> tuple[str, str]:
    """The canonical JSON of file values, and the SHA-256 of it in hexadecimal."""
    body = canonical(plain(value))
    return body.decode(), digest(body)
