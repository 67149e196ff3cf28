"""Reads the steps of a procedure file: who signs, the form, the limit, the ways on and back."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from files.strict_yaml import Entry
from incidents.model import Decision
from incidents.procedure.model import (
    PREFILLS,
    Answer,
    Condition,
    Field,
    FieldKind,
    Option,
    Output,
    Right,
    Role,
    Standard,
    Step,
)
from incidents.procedure.references import one_of, unknown
from probes import Text

KEYS = (
    "number key title role with_role input standard question form outputs next return_to "
    "not_signed_by reason"
).split()
"""What a step may say."""


def steps(top: Entry, roles: Mapping[str, Role], documents: Collection[str]) -> tuple[Step, ...]:
    """The steps by number, with every reference of theirs checked."""
    entries = top.entries("steps")
    found = tuple(_step(entry, roles, documents) for entry in entries)
    _check_flow(top, entries, found)
    _check_carried(entries, found)
    return tuple(sorted(found, key=lambda step: step.number))


def standard(entry: Entry) -> Standard:
    """A time limit, in minutes or working days."""
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


def _step(entry: Entry, roles: Mapping[str, Role], documents: Collection[str]) -> Step:
    entry.only(KEYS)
    returns = entry.has("return_to")
    form = tuple(_field(each, roles, returns) for each in entry.entries("form"))
    names = [field.name for field in form]
    _check_form(entry.entries("form"), form)
    if returns and not any(_asks_why(field) for field in form):
        entry.wrong("a return needs a reason: make a field required for the decision return")
    return Step(
        number=entry.integer("number"),
        key=entry.string("key"),
        title=entry.text("title"),
        role=_signing_role(entry, roles),
        input=entry.text("input"),
        standard=standard(entry.entry("standard")),
        form=form,
        outputs=_outputs(entry, documents, returns),
        next=entry.integer("next") if entry.has("next") else None,
        return_to=entry.integer("return_to") if returns else None,
        with_role=one_of(entry, "with_role", roles, optional=True),
        question=entry.text("question", None if returns else Text("")),
        not_signed_by=entry.integers("not_signed_by"),
        reason=_reason(entry, names, returns),
    )


def _check_form(entries: Sequence[Entry], form: Sequence[Field]) -> None:
    """Names are unique, and a condition on an answer can hold."""
    names = [field.name for field in form]
    for entry, field in zip(entries, form, strict=True):
        if names.count(field.name) > 1:
            entry.wrong(f"two fields are called {field.name!r}", "name")
        when = field.required_when
        if when is None or not when.field:
            continue
        if when.field not in names:
            said = unknown(when.field, names)
            entry.wrong(f"the form has no field {said}", "required_when")
            continue
        asked = form[names.index(when.field)]
        if asked.kind is FieldKind.YESNO and not isinstance(when.equals, bool):
            entry.wrong(f"{asked.name!r} is answered true or false", "required_when")
        answers = [option.value for option in asked.options]
        if asked.kind is FieldKind.CHOICE and when.equals not in answers:
            said = unknown(str(when.equals), answers)
            entry.wrong(f"answer to {asked.name!r}: {said}", "required_when")


def _signing_role(entry: Entry, roles: Mapping[str, Role]) -> str:
    key = one_of(entry, "role", roles)
    if key in roles and Right.SIGN not in roles[key].rights:
        able = sorted(each for each, role in roles.items() if Right.SIGN in role.rights)
        entry.wrong(f"{key} may not sign; these may: {', '.join(able)}", "role")
    return key


def _reason(entry: Entry, names: Sequence[str], returns: bool) -> str:
    """The field that says why the step is returned."""
    if not returns:
        if entry.has("reason"):
            entry.wrong("a reason belongs to a step that can be returned", "reason")
        return ""
    return one_of(entry, "reason", names)


def _asks_why(field: Field) -> bool:
    return field.required or field.required_when == Condition(decision=Decision.RETURN)


def _outputs(entry: Entry, documents: Collection[str], returns: bool) -> Mapping[Decision, Output]:
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
        found[decision] = Output(one_of(output, "document", documents), revision)
    return found


def _field(entry: Entry, roles: Collection[str], returns: bool) -> Field:
    entry.only("name label kind required options help prefill required_when role".split())
    kind = one_of(entry, "kind", frozenset(FieldKind))
    options = tuple(Option(each.string("value"), each.text("label")) for each in _options(entry))
    if (kind == FieldKind.CHOICE) != bool(options):
        entry.wrong("options belong to fields of kind choice, which need at least one", "options")
    if len({option.value for option in options}) != len(options):
        entry.wrong("two options have the same value", "options")
    if entry.has("role") and kind != FieldKind.PEOPLE:
        entry.wrong("a role belongs to a field of kind people", "role")
    if entry.boolean("required", False) and entry.has("required_when"):
        entry.wrong("a field that is always required has no required_when", "required_when")
    prefill, carries = _prefill(entry)
    return Field(
        name=entry.string("name"),
        label=entry.text("label"),
        kind=FieldKind(kind) if kind in frozenset(FieldKind) else FieldKind.TEXT,
        required=entry.boolean("required", False),
        options=options,
        help=entry.text("help", Text("")),
        prefill=prefill,
        carries=carries,
        required_when=_condition(entry, returns),
        role=one_of(entry, "role", roles, optional=True),
    )


def _prefill(entry: Entry) -> tuple[str, tuple[Answer, ...]]:
    """A fact of the incident, or answers of earlier steps: ``repair.action``, or a list of such."""
    value: Any = entry.value.get("prefill")
    given = [value] if isinstance(value, str) else entry.strings("prefill")
    if len(given) == 1 and "." not in given[0]:
        return one_of(entry, "prefill", PREFILLS), ()
    answers = []
    for each in given:
        step, dot, field = each.partition(".")
        if not dot:
            entry.wrong(f"{each!r} is no answer; write the step's key, a dot, the field", "prefill")
        answers.append(Answer(step, field))
    return "", tuple(answers)


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
    decision = one_of(when, "decision", frozenset(Decision), optional=True)
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


def _check_carried(entries: Sequence[Entry], found: Sequence[Step]) -> None:
    """Answers that forms start from are answers of earlier steps."""
    for entry, step in zip(entries, found, strict=True):
        earlier = {each.key: each for each in found if each.number < step.number}
        for each, field in zip(entry.entries("form"), step.form, strict=True):
            for answer in field.carries:
                if answer.step not in earlier:
                    each.wrong(f"step {unknown(answer.step, earlier)}", "prefill")
                elif earlier[answer.step].field(answer.field) is None:
                    names = [other.name for other in earlier[answer.step].form]
                    said = unknown(answer.field, names)
                    each.wrong(f"field of step {answer.step!r}: {said}", "prefill")
