"""Validates a filled-in form against its step.

Values are JSON: text and paragraph are strings, yesno is a boolean, datetime an ISO 8601 string
with an offset, people a list of usernames, number a finite number, choice one of the values.
"""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any

from incidents.ledger.canonical_json import MOST_EXACT
from incidents.model import JSON, Decision, Incident
from incidents.procedure import limits
from incidents.procedure.load import Field, FieldKind, Step
from probes import Text

_MOST = {FieldKind.TEXT: limits.LINE, FieldKind.PARAGRAPH: limits.PARAGRAPH}

_WORDS = {"yes": True, "ya": True, "true": True, "no": False, "tidak": False, "false": False}


def missing(step: Step, decision: Decision, form: JSON, red: bool) -> list[Field]:
    """Required fields that are empty, in the form's order."""
    return [
        field
        for field in step.form
        if _empty(form.get(field.name)) and is_required(field, decision, form, red)
    ]


def is_required(field: Field, decision: Decision, form: JSON, red: bool) -> bool:
    """Whether the field is required for this decision, these answers and this probe."""
    when = field.required_when
    if when is None:
        return field.required
    return (
        (when.decision is None or when.decision is decision)
        and (when.red is None or when.red == red)
        and (not when.field or form.get(when.field) == when.equals)
    )


def unknown(step: Step, form: JSON) -> list[str]:
    """Names in the form that the step does not have."""
    return sorted(str(name) for name in form if step.field(str(name)) is None)


def malformed(
    step: Step, form: JSON, holders: Mapping[str, Collection[str]] | None = None
) -> dict[str, Text]:
    """What is wrong with the answers that are given, by field."""
    problems: dict[str, Text] = {}
    for field in step.form:
        value = form.get(field.name)
        if not _empty(value):
            problem = _problem(field, value, holders)
            if problem is not None:
                problems[field.name] = problem
    return problems


def field_problems(
    step: Step,
    decision: Decision,
    form: JSON,
    incident: Incident,
    holders: Mapping[str, Collection[str]] | None = None,
) -> dict[str, Text]:
    """What is wrong with a form, by field name; empty when nothing is.

    ``holders`` (role -> usernames valid today) lets people fields be checked against it.
    """
    problems = {
        field.name: _left_open(field) for field in missing(step, decision, form, incident.red)
    }
    problems.update(malformed(step, form, holders))
    for name in unknown(step, form):
        problems[name] = Text("This step's form has no such field; remove it and send again.")
    return problems


def _left_open(field: Field) -> Text:
    if field.label.en.endswith("?") or field.kind is FieldKind.YESNO:
        return Text("Answer: {label}", label=field.label)
    return Text("{label} must be filled in.", label=field.label)


def normalise(step: Step, posted: Mapping[str, Any]) -> dict[str, Any]:
    """A posted HTML form (strings, lists of strings) as the JSON ``Sign.form`` holds.

    Trims, drops empty answers, converts "yes"/"no" and numbers to their JSON types. Values that
    cannot be converted stay as they are, for ``field_problems`` to report.
    """
    form: dict[str, Any] = {}
    for name, value in posted.items():
        field = step.field(name)
        cleaned = _trimmed(value)
        if not _empty(cleaned):
            form[name] = cleaned if field is None else _typed(field, cleaned)
    return form


def unreadable(text: str) -> bool:
    """Whether a text contains characters that neither paper nor ledger can hold."""
    return any(
        unicodedata.category(character) in ("Cc", "Cs", "Cn") and character not in "\n\t"
        for character in text
    )


def _trimmed(value: Any) -> Any:
    if isinstance(value, str):
        return value.replace("\r\n", "\n").replace("\r", "\n").strip()
    if isinstance(value, list | tuple):
        kept = [_trimmed(each) for each in value]
        return [each for each in kept if not _empty(each)]
    return value


def _typed(field: Field, value: Any) -> Any:
    if field.kind is FieldKind.PEOPLE:
        return list(value) if isinstance(value, list | tuple) else [value]
    if not isinstance(value, str):
        return value
    if field.kind is FieldKind.YESNO:
        return _WORDS.get(value.lower(), value)
    if field.kind is FieldKind.NUMBER:
        try:
            number = float(value)
        except ValueError:
            return value
        return int(number) if math.isfinite(number) and number == int(number) else number
    return value


def _empty(value: Any) -> bool:
    return value is None or value == [] or (isinstance(value, str) and not value.strip())


def _problem(
    field: Field, value: Any, holders: Mapping[str, Collection[str]] | None
) -> Text | None:
    """What is wrong with one answer."""
    match field.kind:
        case FieldKind.TEXT | FieldKind.PARAGRAPH:
            return _text_problem(field, value)
        case FieldKind.CHOICE:
            if any(option.value == value for option in field.options):
                return None
            return _say(field, Text("choose one of the answers given."))
        case FieldKind.YESNO:
            if isinstance(value, bool):
                return None
            return _say(field, Text("answer yes or no."))
        case FieldKind.DATETIME:
            return _moment_problem(field, value)
        case FieldKind.PEOPLE:
            return _people_problem(field, value, holders)
        case FieldKind.NUMBER:
            is_number = isinstance(value, int | float) and not isinstance(value, bool)
            if is_number and math.isfinite(value) and abs(value) <= MOST_EXACT:
                return None
            return _say(field, Text("give a number."))


def _say(field: Field, words: Text) -> Text:
    return Text.joined(": ", [field.label, words])


def _text_problem(field: Field, value: Any) -> Text | None:
    if not isinstance(value, str):
        return _say(field, Text("give a text."))
    most = _MOST[field.kind]
    if len(value) > most:
        return _say(
            field, Text("at most {most} characters, now {value}.", most=most, value=len(value))
        )
    if unreadable(value) or (field.kind is FieldKind.TEXT and "\n" in value):
        return _say(
            field, Text("holds characters that cannot be printed; remove them and send again.")
        )
    return None


def _moment_problem(field: Field, value: Any) -> Text | None:
    try:
        moment = datetime.fromisoformat(value)
    except (TypeError, ValueError):
        moment = None
    if moment is not None and moment.tzinfo is not None:
        return None
    return _say(field, Text("give a date and a time, for example 2026-07-02T14:05+08:00."))


def _people_problem(
    field: Field, value: Any, holders: Mapping[str, Collection[str]] | None
) -> Text | None:
    if not isinstance(value, list) or not all(isinstance(name, str) for name in value):
        return _say(field, Text("give a list of people."))
    if holders is None or not field.role:
        return None
    strangers = [name for name in value if name not in holders.get(field.role, ())]
    if not strangers:
        return None
    names = ", ".join(strangers)
    return _say(
        field,
        Text(
            "{names} does not hold the role {role} today; choose somebody else.",
            names=names,
            role=field.role,
        ),
    )
