"""Loads a procedure (SOP) from YAML: steps, signing roles, forms, limits and next steps.

Whatever ``load`` returns is complete: every reference exists, returns point backwards, limits are
positive and exactly one step ends it. The same content always has the same ``hash``; that hash is
the procedure's version, and an incident keeps the one it opened under. Source of
``procedures/kaltim.yaml``: SOP sections B, E and G, read as in decision 20.
"""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

from files.problems import InvalidFileError, Problem, Problems
from files.strict_yaml import Entry, read
from incidents.ledger.canonical_json import content
from incidents.model import Outcome
from incidents.procedure import older
from incidents.procedure.letter import Letter
from incidents.procedure.model import (
    PREFILLS,
    Condition,
    Dismissal,
    DocumentKind,
    Field,
    FieldKind,
    Option,
    Output,
    Procedure,
    Right,
    Role,
    Standard,
    Step,
)
from incidents.procedure.read_letter import letter
from incidents.procedure.read_roles import documents, informed, office, roles
from incidents.procedure.read_steps import standard, steps
from incidents.procedure.references import one_of

__all__ = [
    "Condition",
    "Dismissal",
    "DocumentKind",
    "Field",
    "FieldKind",
    "Letter",
    "Option",
    "Output",
    "PREFILLS",
    "Procedure",
    "ProcedureError",
    "Right",
    "Role",
    "Standard",
    "Step",
    "load",
    "parse",
]

_SHIPPED = Path(__file__).parents[1] / "procedures"
_PREFIX = re.compile(r"[A-Z][A-Z0-9]{0,9}")
KEYS = (
    "name title number_prefix office roles overall informed documents dismissal steps letter"
).split()


class ProcedureError(InvalidFileError):
    """A procedure file that cannot be used."""


def load(name_or_path: str | Path) -> Procedure:
    """The procedure shipped under that name (``kaltim``), or the one in that file.

    Raises ``ProcedureError`` with every problem at once.
    """
    shipped = _SHIPPED / f"{name_or_path}.yaml"
    path = shipped if shipped.is_file() else Path(name_or_path)
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        names = ", ".join(sorted(p.stem for p in _SHIPPED.glob("*.yaml")))
        message = f"cannot be read ({error}); name a file, or one of: {names}"
        raise ProcedureError([Problem(str(name_or_path), 0, "", message)]) from error
    return parse(text, str(name_or_path))


def parse(text: str, source: str) -> Procedure:
    """A procedure from YAML 1.2 (or from ``Procedure.content``, which gives the same hash).

    One written before roles, prefix and letter were part of it means what it meant then. Raises
    ``ProcedureError`` with every problem at once.
    """
    problems = Problems()
    top = read(text, source, problems)
    if problems.found:
        raise ProcedureError(problems.found)
    as_written = None
    if older.is_older(top.value):
        as_written = content(top.value)
        older.complete(top.value)
    procedure = _procedure(top)
    if problems.found:
        raise ProcedureError(problems.found)
    body, digest = as_written or content(top.value)  # read: every text has its languages
    return replace(procedure, content=body, hash=digest)


def _procedure(top: Entry) -> Procedure:
    top.only(KEYS)
    parts = {role.key: role for role in roles(top)}
    kinds = documents(top)
    rows = steps(top, parts, kinds)
    return Procedure(
        name=top.string("name"),
        title=top.text("title"),
        roles=tuple(parts[key] for key in sorted(parts)),
        steps=rows,
        overall=standard(top.entry("overall")),
        documents=kinds,
        dismissal=_dismissal(top, rows, kinds),
        informed=informed(top, parts),
        letter=letter(top, rows, kinds),
        number_prefix=_prefix(top),
        office=office(top),
        content="",
        hash="",
    )


def _prefix(top: Entry) -> str:
    prefix = top.string("number_prefix")
    if prefix and not _PREFIX.fullmatch(prefix):
        top.wrong("expected at most 10 capital letters and digits, like INC", "number_prefix")
    return prefix


def _dismissal(
    top: Entry, rows: tuple[Step, ...], kinds: dict[str, DocumentKind]
) -> Dismissal | None:
    if not top.has("dismissal"):
        return None
    entry = top.entry("dismissal")
    entry.only(("step", "outcomes", "document"))
    if entry.integer("step") not in {step.number for step in rows}:
        entry.wrong("there is no such step", "step")
    allowed = (Outcome.NOT_A_DISRUPTION, Outcome.DUPLICATE)
    words = entry.strings("outcomes")
    if not words or not set(words) <= set(allowed):
        entry.wrong(f"expected some of: {', '.join(allowed)}", "outcomes")
    return Dismissal(
        step=entry.integer("step"),
        outcomes=tuple(outcome for outcome in allowed if outcome in words),
        document=one_of(entry, "document", kinds),
    )
