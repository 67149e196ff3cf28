"""Extracts the texts for people from Python modules, ``Text("English words", …)``, without running
them.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from probes.i18n.text import placeholders


@dataclass(frozen=True, slots=True)
class Sentence:
    """One entry of the catalogues."""

    english: str
    context: str = ""
    filled: bool = True  # its {placeholders} are filled by ``Text``; False: by the template

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


def said_by(source: str) -> Iterator[tuple[int, Sentence | str]]:
    """Each sentence of a module with its line; a string instead says what is wrong there."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "Text":
            each = _sentence(node)
            if not isinstance(each, Sentence) or each.english:
                yield node.lineno, each


def _sentence(call: ast.Call) -> Sentence | str:
    words = [each.value for each in call.args if isinstance(each, ast.Constant)]
    if len(call.args) == 2:  # both languages in the code, as before there were catalogues
        return Sentence("")
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
