"""Extracts the texts for people from Python modules, ``Text("English words", …)``, without running
them.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from probes.i18n.headings import COLUMN
from probes.i18n.text import placeholders

_OUR_COLUMN = re.compile(r"\bas \"([^\"]* [^\"]*)\"\s*(?:,|from\b|$)", re.IGNORECASE)
"""A name of two words that a query gives to a column: a server has none like it."""


@dataclass(frozen=True, slots=True)
class Sentence:
    """One entry of the catalogues."""

    english: str
    context: str = ""
    filled: bool = field(default=True, compare=False)
    # its {placeholders} are filled by ``Text``; False: by the template

    @property
    def key(self) -> tuple[str, str]:
        """What the catalogue finds it by."""
        return self.context, self.english

    def __str__(self) -> str:
        return f"{self.english!r} ({self.context})" if self.context else f"{self.english!r}"


def said_by_modules(folders: Iterable[Path], root: Path) -> set[Sentence]:
    """The sentences of every module; raises ``ValueError`` that lists what cannot be read."""
    found: set[Sentence] = set()
    wrong: list[str] = []
    for folder in folders:
        for path in sorted(folder.rglob("*.py")):
            for line, each in said_by(path.read_text(encoding="utf-8")):
                if isinstance(each, Sentence):
                    found.add(each)
                else:
                    wrong.append(f"{path.relative_to(root)}:{line}: {each}")
    if wrong:
        raise ValueError("\n".join(wrong))
    return found


def headings_of(folder: Path, known: Iterable[str]) -> set[Sentence]:
    """Which of these ``known`` headings of tables the modules of a folder still write."""
    written = " ".join(
        node.value.replace("_", " ").lower()
        for path in sorted(folder.rglob("*.py"))
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    )
    return {Sentence(each, COLUMN) for each in known if re.search(rf"\b{re.escape(each)}", written)}


def said_by(source: str) -> Iterator[tuple[int, Sentence | str]]:
    """Each sentence of a module with its line; a string instead says what is wrong there."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Constant) and "select" in str(node.value).lower():
            for name in _OUR_COLUMN.findall(str(node.value)):
                yield node.lineno, Sentence(name.lower(), COLUMN)
        if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Name):
            continue
        if node.func.id == "headings":
            for each in node.args:
                if isinstance(each, ast.Constant):
                    yield node.lineno, Sentence(str(each.value).replace("_", " ").lower(), COLUMN)
        if node.func.id == "Text":
            said = _sentence(node)
            if not isinstance(said, Sentence) or said.english:
                yield node.lineno, said


def _sentence(call: ast.Call) -> Sentence | str:
    words = [each.value for each in call.args if isinstance(each, ast.Constant)]
    if len(call.args) != 1 or len(words) != 1 or not isinstance(words[0], str):
        return "Text takes its English words as one literal; values fill its {placeholders}"
    values = {each.arg: each.value for each in call.keywords}
    context = values.pop("context", None)
    if context is not None and not isinstance(context, ast.Constant):
        return "the context of a Text is a literal"
    wanted = placeholders(words[0])
    if values and None not in values and wanted != values.keys():
        return f"placeholders {sorted(wanted)}, but values {sorted(map(str, values))}"
    return Sentence(words[0], str(context.value) if context is not None else "")
