"""Code knows no role, step, document, field or number of the procedure we ship."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from incidents.procedure import load as procedure
from incidents.procedure.letter import INCIDENT
from incidents.procedure.load import PREFILLS, Procedure
from incidents.procedure.older import MEANT

ROOT = Path(__file__).resolve().parents[1]
_STEP = re.compile(r"(^|\.)step(\.number)?$")
ROOMS = ("agent", "incidents", "files")
SHIPPED = procedure.load("kaltim")

SHARED: Mapping[str, str] = {
    "description": "of a report that a person or another system sends",
    "cause": "of a finding, and of a correlation",
    "copies": "the office's setting, and a key of the letter",
    "urgency": "a key of the letter",
    "recipient": "a key of the letter",
    "letter_number": "of the letter of assignment",
    "recovered": "what pages say of a finding that is clear",
    "statement": "a column of evidence",
}
"""Words of the product that are also names of fields in the shipped form, and what they mean."""


def words(found: Procedure) -> dict[str, str]:
    """What code may not say -> what it is there."""
    fields = {field.name for step in found.steps for field in step.form}
    named = {role.key: "role" for role in found.roles}
    named |= dict.fromkeys(found.documents, "document")
    named |= dict.fromkeys(fields - PREFILLS - set(INCIDENT) - set(SHARED), "field")
    named |= dict.fromkeys((f"{step.key}." for step in found.steps), "step")
    return named | {found.number_prefix: "prefix", f"{found.number_prefix}-": "prefix"}


def said(source: str) -> Iterator[tuple[int, str]]:
    """Line and text of every string constant, docstrings left out."""
    tree = ast.parse(source)
    documented = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    prose = {
        id(node.body[0].value)
        for node in ast.walk(tree)
        if isinstance(node, documented) and node.body and isinstance(node.body[0], ast.Expr)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in prose:
            yield node.lineno, node.value


def knows(name: str, source: str, named: Mapping[str, str]) -> list[str]:
    """One sentence for each word of the procedure that a file says."""
    if name.endswith(".html"):
        rows = enumerate(source.splitlines(), 1)
        spoken = [(line, word) for line, row in rows for word in re.findall(r"[\"']([^\"']+)", row)]
    else:
        spoken = list(said(source))
    return [
        f"{name}:{line} names the {named[word]} {word!r}"
        for line, text in spoken
        for word in {text, *re.findall(r"\b[A-Z]{2,}-?\b", text)}
        if word in named
    ]


def sources() -> Iterator[tuple[str, str]]:
    for room in ROOMS:
        for path in sorted((ROOT / room).rglob("*")):
            if path.suffix in (".py", ".html"):
                yield str(path.relative_to(ROOT)), path.read_text(encoding="utf-8")


def numbered(name: str, source: str) -> Iterator[str]:
    """Comparisons of a step with a number that is written down; 0 is the whole procedure."""
    if name.endswith(".html"):
        for line, row in enumerate(source.splitlines(), 1):
            if re.search(r"\bstep(\.number)? *(==|!=|in) *\(?[1-9]", row):
                yield f"{name}:{line} knows a step by its number"
        return
    same = (ast.Eq, ast.NotEq, ast.In, ast.NotIn)
    for node in ast.walk(ast.parse(source)):
        if not isinstance(node, ast.Compare) or not isinstance(node.ops[0], same):
            continue
        if _STEP.search(ast.unparse(node.left)):
            values = [each for other in node.comparators for each in ast.walk(other)]
            if any(
                isinstance(v, ast.Constant) and type(v.value) is int and v.value for v in values
            ):
                yield f"{name}:{node.lineno} knows a step by its number"


def test_no_code_names_anything_of_the_shipped_procedure() -> None:
    named = words(SHIPPED)
    assert {"KD", "PP", "laporan_gangguan", "GDB", "participants", "return_reason"} <= set(named)
    assert [line for name, text in sources() for line in knows(name, text, named)] == []


def test_no_code_knows_a_step_by_its_number() -> None:
    assert [line for name, text in sources() for line in numbered(name, text)] == []


@pytest.mark.parametrize(
    ("name", "source"),
    [
        ("incidents/a.py", 'LEADERS = ("KD", "PA")'),
        ("incidents/a.py", 'number = f"GDB-{year}"'),
        ("incidents/a.py", 'form.get("return_reason")'),
        ("incidents/a.html", '{% if document.kind == "laporan_gangguan" %}'),
        ("agent/a.py", 'help="role, e.g. AJ or PP"'),
    ],
)
def test_a_word_of_it_in_code_is_found(name: str, source: str) -> None:
    assert knows(name, source, words(SHIPPED))


@pytest.mark.parametrize(
    ("name", "source"),
    [
        ("incidents/a.py", "if visit.step in (4, 5): pass"),
        ("incidents/a.py", "late = incident.step == 9"),
        ("incidents/a.html", "{% for visit in visits if visit.step in (4, 5) %}"),
    ],
)
def test_a_step_known_by_its_number_is_found(name: str, source: str) -> None:
    assert list(numbered(name, source))


def test_what_older_procedures_meant_is_data_too() -> None:
    assert MEANT.suffix == ".yaml"
