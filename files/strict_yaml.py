"""Strict YAML 1.2: plain values, each with the line it was written on."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import date
from pathlib import Path as File
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from files.problems import Origin, Path, Problems, placed, unknown_key
from probes import Text

_DEEPEST = 40
_NULLS = frozenset({"", "~", "null", "Null", "NULL"})


class NotYamlError(ValueError):
    """Text that is no YAML: why, and in which line (0: unknown)."""

    def __init__(self, line: int, message: str) -> None:
        super().__init__(message)
        self.line = line


def compose(text: str) -> Node | None:
    """The outermost node; None where nothing is written. Raises ``NotYamlError``."""
    try:
        node: Node | None = YAML(typ="safe", pure=True).compose(text)
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        what = str(error.problem or error.context or "is not YAML").strip().partition("\n")[0]
        raise NotYamlError(mark.line + 1 if mark else 0, f"is not valid YAML: {what}") from error
    except YAMLError as error:
        raise NotYamlError(0, f"is not valid YAML: {str(error).partition(chr(10))[0]}") from error
    except RecursionError as error:
        raise NotYamlError(0, "is nested too deeply") from error
    return node


class YamlReader:
    """Turns the nodes of one file into plain values, recording line and problems of each.

    ``substitute`` gets every text with its path, and returns the value to use.
    """

    def __init__(
        self,
        file: File,
        problems: Problems,
        origins: dict[Path, Origin],
        substitute: Callable[[str, Path], str] = lambda text, _path: text,
    ) -> None:
        self._file = file
        self._problems = problems
        self._origins = origins
        self._substitute = substitute

    def items(self, node: MappingNode, local: Path = ()) -> Iterator[tuple[str, int, Node]]:
        """Key, line and value node of a mapping; a duplicate key is recorded and left out."""
        lines: dict[str, int] = {}
        for key_node, value_node in node.value:
            key, line = str(key_node.value), line_of(key_node)
            if key in lines:
                message = f"is written twice (first in line {lines[key]})"
                self._problems.in_file(self._file, line, message, (*local, key))
                continue
            lines[key] = line
            yield key, line, value_node

    def value(self, node: Node, path: Path, local: Path, line: int) -> Any:
        """The plain value of a node at ``path``, which is ``local`` inside its own file."""
        self._origins[path] = Origin(str(self._file), line, local)
        if len(path) > _DEEPEST:
            self._problems.in_file(self._file, line, "is nested too deeply", local)
            return None
        if isinstance(node, MappingNode):
            return {
                key: self.value(inner, (*path, key), (*local, key), at)
                for key, at, inner in self.items(node, local)
            }
        if isinstance(node, SequenceNode):
            return [
                self.value(item, (*path, index), (*local, index), line_of(item))
                for index, item in enumerate(node.value)
            ]
        return self._scalar(node, path) if isinstance(node, ScalarNode) else None

    def _scalar(self, node: ScalarNode, path: Path) -> Any:
        text: str = node.value
        kind = str(node.tag).rpartition(":")[2]
        if kind == "bool":
            return text.lower() == "true"
        if kind == "null" and text in _NULLS:
            return None
        if kind in ("int", "float"):
            return _number(text)
        return self._substitute(text, path)


def line_of(node: Node) -> int:
    """The line a node begins on, counted from 1."""
    return int(node.start_mark.line) + 1


def _number(text: str) -> float | int | str:
    """A YAML 1.2 number; other text stays text."""
    plain = text.replace("_", "")
    for base in (10, 0):
        try:
            return int(plain, base)
        except ValueError:
            continue
    try:
        return float(plain.lower().replace(".inf", "inf").replace(".nan", "nan"))
    except ValueError:
        return text


class Entry:
    """One mapping of a data file, read key by key; problems are recorded with their line.

    A wrong value is recorded and replaced by a harmless one; the caller checks the problems at the
    end and uses nothing if there are any.
    """

    def __init__(
        self, value: Any, path: Path, origins: Mapping[Path, Origin], problems: Problems
    ) -> None:
        self._path = path
        self._origins = origins
        self.problems = problems
        self.value: dict[str, Any] = value if isinstance(value, dict) else {}
        if not isinstance(value, dict):
            self.wrong("expected a block of named values")

    def wrong(self, message: str, key: str = "") -> None:
        """Record a problem of this entry, or of one of its keys."""
        path = (*self._path, key) if key else self._path
        main = str(self.problems.main)
        self.problems.found.append(placed(self._origins, path, message, main))

    def only(self, allowed: Iterable[str]) -> None:
        """Refuse unknown keys."""
        known = set(allowed)
        for key in self.value:
            if key not in known:
                self.wrong(unknown_key(key, known), key)

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
        return value

    def text(self, key: str, default: Text | None = None) -> Text:
        """A text in English, or in both languages: ``{id: …, en: …}``.

        English text is translated by the catalogue; ``value`` keeps all languages, so that stored
        content reads the same when the catalogue has changed.
        """
        value = self._get(key, default)
        if value is None or isinstance(value, Text):
            return value or Text("")
        if isinstance(value, str) and value.strip():
            said = Text.lookup(value)
            self.value[key] = said.recorded
            return said
        if (
            not isinstance(value, dict)
            or set(value) != {"id", "en"}
            or not all(isinstance(words, str) and words.strip() for words in value.values())
        ):
            self.wrong("expected a text, or one in both languages: {id: …, en: …}", key)
            return Text("")
        return Text.written(value)

    def integer(self, key: str, default: int | None = None) -> int:
        value = self._get(key, default)
        if value is None:
            return 0
        if isinstance(value, bool) or not isinstance(value, int):
            self.wrong("expected a whole number", key)
            return 0
        return value

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
        if isinstance(value, str):
            try:
                return date.fromisoformat(value)
            except ValueError:
                pass
        if value is not None:
            self.wrong("expected a date like 2026-07-02", key)
        return None

    def strings(self, key: str) -> tuple[str, ...]:
        return tuple(self._list(key, str, "texts"))

    def integers(self, key: str) -> tuple[int, ...]:
        return tuple(self._list(key, int, "whole numbers"))

    def entry(self, key: str) -> Entry:
        """The block under ``key``; an empty one when it is missing (and that is a problem)."""
        value = self._get(key, None)
        if value is None:  # reported once, not again for each key inside
            return Entry({}, (*self._path, key), self._origins, Problems())
        return self._inner(value, key)

    def entries(self, key: str) -> list[Entry]:
        """The list of blocks under ``key``; none when it is absent."""
        values = self.value.get(key)
        if values is None:
            return []
        if not isinstance(values, list):
            self.wrong("expected a list", key)
            return []
        return [self._inner(value, key, index) for index, value in enumerate(values)]

    def named(self, key: str) -> dict[str, Entry]:
        """The blocks under ``key`` by name, in the file's order."""
        inner = self.entry(key)
        return {name: inner._inner(value, name) for name, value in inner.value.items()}

    def _inner(self, value: Any, *below: str | int) -> Entry:
        return Entry(value, (*self._path, *below), self._origins, self.problems)

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


def read(text: str, file: str, problems: Problems) -> Entry:
    """The outermost block of a data file. Text that is no YAML is one problem."""
    origins: dict[Path, Origin] = {}
    nothing = Entry({}, (), origins, Problems())
    try:
        node = compose(text)
    except NotYamlError as error:
        problems.in_file(File(file), error.line, str(error))
        return nothing
    if not isinstance(node, MappingNode):
        problems.in_file(File(file), 1, "expected named values")
        return nothing
    value = YamlReader(File(file), problems, origins).value(node, (), (), 1)
    return Entry(value, (), origins, problems)
