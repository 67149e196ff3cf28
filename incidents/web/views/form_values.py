"""Converts between an HTML form and the JSON of a sign-off.

Browsers post local times without a zone; the ledger needs ISO 8601 with an offset. Everything else
is left to ``normalise`` and ``field_problems`` of ``incidents.procedure.forms``.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from starlette.datastructures import FormData

from incidents.procedure import forms
from incidents.procedure.load import FieldKind, Step
from incidents.web.access.auth import text_of

PREFIX = "form."
"""Prefix of a field's name in the page, so that no field can clash with ``step`` or ``csrf``."""


def posted_form(step: Step, form: FormData, zone: ZoneInfo) -> dict[str, Any]:
    """The answers to a step's form, as ``Sign.form`` wants them."""
    raw: dict[str, Any] = {}
    for field in step.form:
        name = PREFIX + field.name
        if field.kind is FieldKind.PEOPLE:
            raw[field.name] = [value for value in form.getlist(name) if isinstance(value, str)]
        elif field.kind is FieldKind.DATETIME:
            raw[field.name] = with_offset(text_of(form, name), zone)
        else:
            raw[field.name] = text_of(form, name)
    return forms.normalise(step, raw)


def with_offset(text: str, zone: ZoneInfo) -> str:
    """A browser's local time in ``zone`` as ISO 8601; text that is not a time stays as typed."""
    try:
        at = datetime.fromisoformat(text.strip())
    except ValueError:
        return text.strip()
    return (at if at.tzinfo else at.replace(tzinfo=zone)).isoformat()


def for_input(value: Any, kind: FieldKind, zone: ZoneInfo) -> Any:
    """A value as the HTML control of its kind shows it."""
    if kind is FieldKind.PEOPLE:
        return [str(each) for each in value] if isinstance(value, list | tuple) else []
    if kind is FieldKind.YESNO:
        return {True: "yes", False: "no"}.get(value, "") if isinstance(value, bool) else ""
    if kind is FieldKind.DATETIME and isinstance(value, str):
        try:
            at = datetime.fromisoformat(value)
        except ValueError:
            return value
        local = at.astimezone(zone) if at.tzinfo else at
        return local.strftime("%Y-%m-%dT%H:%M")
    return "" if value is None else str(value)


def shown(step: Step, values: Mapping[str, Any], zone: ZoneInfo) -> dict[str, Any]:
    """Every field of a step with what its control shows."""
    return {field.name: for_input(values.get(field.name), field.kind, zone) for field in step.form}
