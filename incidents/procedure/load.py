"""A procedure (SOP) as data: which steps, who signs, with what form, by when, then where.

Promises that whatever ``load`` returns is whole: every reference exists, loops point
backwards, limits are positive and exactly one step ends it. The same content always has the
same ``hash``; that hash is the procedure's version and an incident keeps the one it opened
under. Source of ``procedures/kaltim.yaml``: SOP sections B, E and G as read in READING 5.1-5.4.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from files.problems import InvalidFileError, Problem, Problems
from files.strict_yaml import Entry, read
from incidents.ledger.canonical_json import content
from incidents.model import Decision, Outcome
from incidents.procedure.model import (
    PREFILLS,
    Condition,
    Dismissal,
    Document,
    Field,
    FieldKind,
    Option,
    Output,
    Procedure,
    Role,
    Standard,
    Step,
)
from probes import Text

__all__ = [
    "Condition",
    "Dismissal",
    "Document",
    "Field",
    "FieldKind",
    "Option",
    "Output",
    "PREFILLS",
    "Procedure",
    "ProcedureError",
    "Role",
    "Standard",
    "Step",
    "load",
    "parse",
]

_SHIPPED = Path(__file__).parent.parent / "procedures"


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

    Raises ``ProcedureError`` with every problem at once.
    """
    problems = Problems()
    top = read(text, source, problems)
    if problems.found:
        raise ProcedureError(problems.found)
    procedure = _procedure(top)
    if problems.found:
        raise ProcedureError(problems.found)
    return procedure


def _procedure(top: Entry) -> Procedure:
    top.only(
        "name title roles overall remind_ratio dispenser informed documents dismissal steps".split()
    )
    roles = {key: top.entry("roles").text(key) for key in top.entry("roles").value}
    documents = {key: top.entry("documents").text(key) for key in top.entry("documents").value}
    entries = top.entries("steps")
    steps = tuple(_step(entry, frozenset(roles), frozenset(documents)) for entry in entries)
    _check_flow(top, entries, steps)
    ratio = top.number("remind_ratio", 0.75)
    if not 0 < ratio < 1:
        top.wrong("expected a number between 0 and 1", "remind_ratio")
    body, digest = content(top.value)
    return Procedure(
        name=top.string("name"),
        title=top.text("title"),
        roles=tuple(Role(key, title) for key, title in sorted(roles.items())),
        steps=tuple(sorted(steps, key=lambda step: step.number)),
        overall=_standard(top.entry("overall")),
        documents={kind: Document(kind, title) for kind, title in documents.items()},
        dismissal=_dismissal(top, {step.number for step in steps}, frozenset(documents)),
        dispenser=_one_of(top, "dispenser", frozenset(roles)),
        informed=_one_of(top, "informed", frozenset(roles)),
        remind_ratio=ratio,
        content=body,
        hash=digest,
    )


def _one_of(entry: Entry, key: str, known: frozenset[str], optional: bool = False) -> str:
    """A word that must be one of ``known``."""
    word = entry.string(key, "" if optional else None)
    if word and word not in known:
        entry.wrong(f"{word!r} is none of: {', '.join(sorted(known))}", key)
    return word


def _standard(entry: Entry) -> Standard:
    entry.only(("minutes", "days", "target_days"))
    minutes, days = entry.integer("minutes", 0), entry.number("days", 0.0)
    if entry.has("minutes") == entry.has("days"):
        entry.wrong("give either minutes or days")
    elif minutes + days <= 0:
        entry.wrong("a limit must be greater than 0")
    target = entry.number("target_days") if entry.has("target_days") else None
    if target is not None and not 0 < target <= days:
        entry.wrong("a target must be greater than 0 and within the limit", "target_days")
    return Standard(minutes, days, target)


def _step(entry: Entry, roles: frozenset[str], documents: frozenset[str]) -> Step:
    entry.only(
        "number key title role with_role input standard question form outputs next return_to "
        "not_signed_by".split()
    )
    returns = entry.has("return_to")
    form = tuple(_field(each, roles, returns) for each in entry.entries("form"))
    names = [field.name for field in form]
    for each, field in zip(entry.entries("form"), form, strict=True):
        if names.count(field.name) > 1:
            each.wrong(f"two fields are called {field.name!r}", "name")
        asked = field.required_when.field if field.required_when else ""
        if asked and asked not in names:
            each.wrong(f"the form has no field {asked!r}", "required_when")
    if returns and not any(_asks_why(field) for field in form):
        entry.wrong("a return needs a reason: make a field required for the decision return")
    return Step(
        number=entry.integer("number"),
        key=entry.string("key"),
        title=entry.text("title"),
        role=_one_of(entry, "role", roles),
        input=entry.text("input"),
        standard=_standard(entry.entry("standard")),
        form=form,
        outputs=_outputs(entry, documents, returns),
        next=entry.integer("next") if entry.has("next") else None,
        return_to=entry.integer("return_to") if returns else None,
        with_role=_one_of(entry, "with_role", roles, optional=True),
        question=entry.text("question", None if returns else Text("")),
        not_signed_by=entry.integers("not_signed_by"),
    )


def _asks_why(field: Field) -> bool:
    return field.required or field.required_when == Condition(decision=Decision.RETURN)


def _outputs(entry: Entry, documents: frozenset[str], returns: bool) -> Mapping[Decision, Output]:
    outputs = entry.entry("outputs")
    wanted = [Decision.APPROVE] + [Decision.RETURN] * returns
    outputs.only(str(decision) for decision in wanted)
    found = {}
    for decision in wanted:
        output = outputs.entry(decision)
        output.only(("document", "revision"))
        revision = output.integer("revision", 1)
        if revision < 1:
            output.wrong("revisions count from 1", "revision")
        found[decision] = Output(_one_of(output, "document", documents), revision)
    return found


def _field(entry: Entry, roles: frozenset[str], returns: bool) -> Field:
    entry.only("name label kind required options help prefill required_when role".split())
    kind = _one_of(entry, "kind", frozenset(FieldKind))
    options = tuple(Option(each.string("value"), each.text("label")) for each in _options(entry))
    if (kind == FieldKind.CHOICE) != bool(options):
        entry.wrong("options belong to fields of kind choice, which need at least one", "options")
    if len({option.value for option in options}) != len(options):
        entry.wrong("two options have the same value", "options")
    if entry.has("role") and kind != FieldKind.PEOPLE:
        entry.wrong("a role belongs to a field of kind people", "role")
    if entry.boolean("required", False) and entry.has("required_when"):
        entry.wrong("a field that is always required has no required_when", "required_when")
    return Field(
        name=entry.string("name"),
        label=entry.text("label"),
        kind=FieldKind(kind) if kind in frozenset(FieldKind) else FieldKind.TEXT,
        required=entry.boolean("required", False),
        options=options,
        help=entry.text("help", Text("")),
        prefill=_one_of(entry, "prefill", PREFILLS, optional=True),
        required_when=_condition(entry, returns),
        role=_one_of(entry, "role", roles, optional=True),
    )


def _options(entry: Entry) -> list[Entry]:
    options = entry.entries("options")
    for option in options:
        option.only(("value", "label"))
    return options


def _condition(entry: Entry, returns: bool) -> Condition | None:
    if not entry.has("required_when"):
        return None
    when = entry.entry("required_when")
    when.only(("decision", "red", "field", "equals"))
    decision = _one_of(when, "decision", frozenset(Decision), optional=True)
    if decision == Decision.RETURN and not returns:
        when.wrong("this step cannot be returned", "decision")
    if when.has("field") != when.has("equals"):
        when.wrong("give field and equals together, or neither")
    if not when.value:
        when.wrong("expected at least one of decision, red, field")
    equals = when.value.get("equals")
    return Condition(
        decision=Decision(decision) if decision in frozenset(Decision) else None,
        red=when.boolean("red") if when.has("red") else None,
        field=when.string("field", ""),
        equals=bool(equals) if isinstance(equals, bool) else str(equals or "") or None,
    )


def _dismissal(top: Entry, numbers: set[int], documents: frozenset[str]) -> Dismissal | None:
    if not top.has("dismissal"):
        return None
    entry = top.entry("dismissal")
    entry.only(("step", "outcomes", "document"))
    if entry.integer("step") not in numbers:
        entry.wrong("there is no such step", "step")
    allowed = (Outcome.NOT_A_DISRUPTION, Outcome.DUPLICATE)
    words = entry.strings("outcomes")
    if not words or not set(words) <= set(allowed):
        entry.wrong(f"expected some of: {', '.join(allowed)}", "outcomes")
    return Dismissal(
        step=entry.integer("step"),
        outcomes=tuple(outcome for outcome in allowed if outcome in words),
        document=_one_of(entry, "document", documents),
    )


def _check_flow(top: Entry, entries: list[Entry], steps: tuple[Step, ...]) -> None:
    """Steps unique, references whole, forward ways forward, loops backward, one end."""
    numbers = [step.number for step in steps]
    if not steps:
        top.wrong("a procedure has at least one step", "steps")
    for entry, step in zip(entries, steps, strict=True):
        if step.number < 1:
            entry.wrong("steps count from 1", "number")
        if numbers.count(step.number) > 1:
            entry.wrong(f"two steps have the number {step.number}", "number")
        if [each.key for each in steps].count(step.key) > 1:
            entry.wrong(f"two steps have the key {step.key!r}", "key")
        if step.next is not None and step.next not in numbers:
            entry.wrong(f"there is no step {step.next}", "next")
        elif step.next is not None and step.next <= step.number:
            entry.wrong("next must be a later step; use return_to for a way back", "next")
        if step.return_to is not None and step.return_to not in numbers:
            entry.wrong(f"there is no step {step.return_to}", "return_to")
        elif step.return_to is not None and step.return_to >= step.number:
            entry.wrong("return_to must be an earlier step", "return_to")
        for other in step.not_signed_by:
            if other not in numbers or other == step.number:
                entry.wrong(f"{other} is not another step", "not_signed_by")
    ends = [step.number for step in steps if step.next is None]
    if steps and len(ends) != 1:
        top.wrong(f"exactly one step must have no next; these have none: {ends}", "steps")
    ahead = {step.next for step in steps} | {min(numbers, default=0)}
    for entry, step in zip(entries, steps, strict=True):
        if step.number not in ahead:
            entry.wrong("no step leads here", "number")
