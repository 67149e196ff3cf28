"""Reads agent.yaml and conf.d/*.yaml into one tree of values with file and line.

YAML 1.2 (``16:00`` stays text), a duplicate key is a problem, and ``${NAME}`` is replaced in parsed
values only.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path as File
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from agent.config.problems import Origin, Path, Problems, dotted

_VARIABLE = re.compile(
    r"\$\$\{|\$\{(?P<name>[A-Za-z_][A-Za-z0-9_]*)(?::(?P<kind>[-?])(?P<rest>[^}]*))?\}"
)
_ADDED_UP = ("targets", "maintenance")
_DEEPEST = 40
_NULLS = frozenset({"", "~", "null", "Null", "NULL"})


class Source:
    """The merged tree of one configuration; ``substituted`` holds paths that came from ${ENV}.

    ``logins``: whether the command will log in to the targets and therefore needs their passwords.
    """

    def __init__(
        self, problems: Problems, environment: Mapping[str, str], logins: bool = True
    ) -> None:
        self.problems = problems
        self.logins = logins
        self.environment = environment
        self.substituted: set[Path] = set()
        self.tree: dict[str, Any] = {}

    def read(self, main: File) -> None:
        """Read ``main`` and, in sorted order, every ``conf.d/*.yaml`` beside it."""
        self.problems.main = main
        self._add(main)
        folder = main.parent / "conf.d"
        if folder.is_dir():
            for extra in sorted(folder.glob("*.yaml")):
                self._add(extra)

    def _add(self, file: File) -> None:
        root = self._compose(file)
        if root is None:
            return
        if not isinstance(root, MappingNode):
            self.problems.in_file(
                file, 1, "must be a mapping of keys, e.g. 'agent:' and 'targets:'"
            )
            return
        seen: dict[str, int] = {}
        for key_node, value_node in root.value:
            key, line = str(key_node.value), _line(key_node)
            if key in seen:
                self._twice(file, line, (key,), seen[key])
                continue
            seen[key] = line
            self._merge(file, key, line, value_node)

    def _merge(self, file: File, key: str, line: int, node: Node) -> None:
        """Add one top-level key to the tree: some lists are joined, anything else must be
        unique.
        """
        earlier = self.problems.origins.get((key,))
        if key in _ADDED_UP and isinstance(node, SequenceNode):
            listed = self.tree.setdefault(key, [])
            self.problems.origins.setdefault((key,), Origin(str(file), line, (key,)))
            if isinstance(listed, list):
                for index, item in enumerate(node.value):
                    path: Path = (key, len(listed))
                    listed.append(self._value(file, item, path, (key, index), _line(item)))
                return
        if earlier is not None:
            self.problems.in_file(
                file, line, f"is defined already in {earlier.file}:{earlier.line}; keep one", (key,)
            )
            return
        self.tree[key] = self._value(file, node, (key,), (key,), line)

    def _compose(self, file: File) -> Node | None:
        try:
            text = file.read_text(encoding="utf-8")
        except FileNotFoundError:
            self.problems.in_file(file, 0, "does not exist; name the file with -c or SIGAP_CONFIG")
            return None
        except (OSError, UnicodeDecodeError) as error:
            reason = getattr(error, "strerror", None) or "is not UTF-8 text"
            self.problems.in_file(file, 0, f"cannot be read: {reason}")
            return None
        try:
            node: Node | None = YAML(typ="safe", pure=True).compose(text)
        except MarkedYAMLError as error:
            mark = error.problem_mark or error.context_mark
            what = error.problem or error.context or "is not YAML"
            self.problems.in_file(file, mark.line + 1 if mark else 0, f"is not valid YAML: {what}")
            return None
        except YAMLError as error:
            first = str(error).partition("\n")[0]
            self.problems.in_file(file, 0, f"is not valid YAML: {first}")
            return None
        if node is None:
            self.problems.in_file(file, 0, "is empty; 'sigap schema' lists what it may hold")
        return node

    def _value(self, file: File, node: Node, path: Path, local: Path, line: int) -> Any:
        """The plain value of a node; records origins and problems on the way."""
        self.problems.origins[path] = Origin(str(file), line, local)
        if len(path) > _DEEPEST:
            self.problems.at(path, "is nested too deeply")
            return None
        if isinstance(node, MappingNode):
            values: dict[str, Any] = {}
            lines: dict[str, int] = {}
            for key_node, value_node in node.value:
                key, at = str(key_node.value), _line(key_node)
                if key in values:
                    self._twice(file, at, (*local, key), lines[key])
                    continue
                lines[key] = at
                values[key] = self._value(file, value_node, (*path, key), (*local, key), at)
            return values
        if isinstance(node, SequenceNode):
            return [
                self._value(file, item, (*path, i), (*local, i), _line(item))
                for i, item in enumerate(node.value)
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

    def _substitute(self, text: str, path: Path) -> str:
        def replaced(match: re.Match[str]) -> str:
            name, kind, rest = match["name"], match["kind"], match["rest"]
            if name is None:
                return "${"
            self.substituted.add(path)
            value = self.environment.get(name, "")
            if value:
                return value
            if kind == "-":
                return rest or ""
            if kind == "?":
                self.problems.at(path, rest or f"needs the environment variable {name}")
            elif name not in self.environment:
                self.problems.at(
                    path, f"environment variable {name} is not set; set it or write ${{{name}:-…}}"
                )
            return ""

        return _VARIABLE.sub(replaced, text)

    def _twice(self, file: File, line: int, path: Path, first: int) -> None:
        self.problems.in_file(file, line, f"is written twice (first in line {first})", path)


def _line(node: Node) -> int:
    return int(node.start_mark.line) + 1


def _number(text: str) -> float | int | str:
    """A YAML 1.2 number; text that is not a number stays text."""
    plain = text.replace("_", "")
    try:
        return int(plain, 10)
    except ValueError:
        pass
    try:
        return int(plain, 0)
    except ValueError:
        pass
    try:
        return float(plain.lower().replace(".inf", "inf").replace(".nan", "nan"))
    except ValueError:
        return text


def read(
    main: File,
    problems: Problems,
    environment: Mapping[str, str] | None = None,
    logins: bool = True,
) -> Source:
    """Read the whole configuration; errors are recorded in ``problems``."""
    source = Source(problems, os.environ if environment is None else environment, logins)
    source.read(main)
    return source


__all__ = ["Source", "dotted", "read"]
