"""Reads agent.yaml and conf.d/*.yaml into one tree of plain values.

``${NAME}`` is replaced in parsed values only, and every value knows the file and line it came
from. Strictness is that of ``files.strict_yaml``.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path as File
from typing import Any

from ruamel.yaml.nodes import MappingNode, Node, SequenceNode

from files.problems import Origin, Path, Problems
from files.strict_yaml import NotYamlError, YamlReader, compose, line_of

_VARIABLE = re.compile(
    r"\$\$\{|\$\{(?P<name>[A-Za-z_][A-Za-z0-9_]*)(?::(?P<kind>[-?])(?P<rest>[^}]*))?\}"
)
_ADDED_UP = ("targets", "maintenance")


class Source:
    """The merged tree of one configuration; ``substituted`` holds paths that came from ${ENV}.

    ``logins``: whether somebody will log in to the targets, so that their passwords are wanted.
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
        reader = YamlReader(file, self.problems, self.problems.origins, self._substitute)
        for key, line, node in reader.items(root):
            self._merge(file, reader, key, line, node)

    def _merge(self, file: File, reader: YamlReader, key: str, line: int, node: Node) -> None:
        """Put one top-level key into the tree: some lists add up, anything else is unique."""
        earlier = self.problems.origins.get((key,))
        if key in _ADDED_UP and isinstance(node, SequenceNode):
            listed = self.tree.setdefault(key, [])
            self.problems.origins.setdefault((key,), Origin(str(file), line, (key,)))
            if isinstance(listed, list):
                for index, item in enumerate(node.value):
                    path: Path = (key, len(listed))
                    listed.append(reader.value(item, path, (key, index), line_of(item)))
                return
        if earlier is not None:
            self.problems.in_file(
                file, line, f"is already defined in {earlier.file}:{earlier.line}; keep one", (key,)
            )
            return
        self.tree[key] = reader.value(node, (key,), (key,), line)

    def _compose(self, file: File) -> Node | None:
        try:
            node = compose(file.read_text(encoding="utf-8"))
        except FileNotFoundError:
            self.problems.in_file(file, 0, "does not exist; name the file with -c or SIGAP_CONFIG")
            return None
        except NotYamlError as error:
            self.problems.in_file(file, error.line, str(error))
            return None
        except (OSError, UnicodeDecodeError) as error:
            reason = getattr(error, "strerror", None) or "is not UTF-8 text"
            self.problems.in_file(file, 0, f"cannot be read: {reason}")
            return None
        if node is None:
            self.problems.in_file(file, 0, "is empty; 'sigap schema' lists the possible keys")
        return node

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


def read(
    main: File,
    problems: Problems,
    environment: Mapping[str, str] | None = None,
    logins: bool = True,
) -> Source:
    """Read the whole configuration; what is wrong lands in ``problems``."""
    source = Source(problems, os.environ if environment is None else environment, logins)
    source.read(main)
    return source
