"""Turns pydantic's validation errors into sentences with the next move."""

from __future__ import annotations

import typing
from types import UnionType
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from files.problems import Path, Problems, unknown_key

_KINDS = {
    "string_type": "must be text",
    "bool_type": "must be true or false",
    "float_type": "must be a number",
    "int_type": "must be a whole number",
    "list_type": "must be a list (lines starting with '-')",
    "dict_type": "must be a mapping of keys",
    "model_type": "must be a mapping of keys",
    "model_attributes_type": "must be a mapping of keys",
    "finite_number": "must be a finite number",
}


def explain(error: ValidationError, model: type[BaseModel], at: Path, problems: Problems) -> None:
    """Record every error of one validated section at path ``at``."""
    for detail in error.errors():
        where = tuple(part for part in detail["loc"] if part != "[key]")
        problems.at((*at, *where), _sentence(detail, model, where))


def _sentence(detail: ErrorDetails, model: type[BaseModel], where: Path) -> str:
    kind, context = detail["type"], detail.get("ctx", {})
    if kind == "extra_forbidden":
        known = fields_at(model, where[:-1])
        return unknown_key(str(where[-1]), known)
    if kind == "missing":
        return "is missing"
    if kind == "value_error":
        return str(context.get("error", detail["msg"]))
    if kind == "literal_error":
        return f"must be {context.get('expected')}, not {_shown(detail['input'])}"
    if kind in ("greater_than_equal", "less_than_equal"):
        bound = "at least" if kind.startswith("greater") else "at most"
        return f"must be {bound} {context.get('ge', context.get('le'))}"
    if kind == "string_pattern_mismatch":
        return f"{_shown(detail['input'])} is not allowed here: {_pattern(str(context['pattern']))}"
    said = _KINDS.get(kind)
    if said:
        return f"{said}, not {_shown(detail['input'])}"
    return detail["msg"]


def _pattern(pattern: str) -> str:
    if pattern.startswith("^/"):
        return "must be an absolute path, starting with /"
    if "_-" in pattern:
        return "letters, digits, '.', '_' and '-' only, at most 63, a letter or digit at both ends"
    return f"must match {pattern}"


def _shown(value: object) -> str:
    if isinstance(value, dict):
        return "a mapping"
    if isinstance(value, list):
        return "a list"
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return str(value).lower()
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "...'"


def fields_at(model: type[BaseModel], path: Path) -> tuple[str, ...]:
    """The keys a section knows, found by walking the model along ``path``."""
    here: Any = model
    for part in path:
        if isinstance(here, type) and issubclass(here, BaseModel):
            declared = here.model_fields.get(str(part))
            here = _inner(declared.annotation) if declared else None
        elif typing.get_origin(here) in (dict, list):
            here = _inner(typing.get_args(here)[-1])
        else:
            return ()
    if isinstance(here, type) and issubclass(here, BaseModel):
        return tuple(field.alias or name for name, field in here.model_fields.items())
    return ()


def _inner(annotation: Any) -> Any:
    """The annotation without ``| None`` and ``Annotated``."""
    if typing.get_origin(annotation) is typing.Annotated:
        return _inner(typing.get_args(annotation)[0])
    if typing.get_origin(annotation) in (UnionType, typing.Union):
        return _inner(next(a for a in typing.get_args(annotation) if a is not type(None)))
    return annotation
