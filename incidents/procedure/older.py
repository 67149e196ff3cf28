"""Completes a procedure written before roles' rights, number prefix and letter were part of it.

Open incidents keep the text they opened under, so such files are still read; ``older.yaml`` has the
values that were implied then. Entries that the procedure's own roles, documents and fields do not
allow are left out. Malformed content is left for the loader to report.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

from files.problems import Problems
from files.strict_yaml import read
from incidents.procedure.model import TURN, Right

MEANT = Path(__file__).with_name("older.yaml")
_SAID_SINCE = frozenset({"number_prefix", "office", "letter"})
_OF_LAST = re.compile(r"\{last\.([a-z_]+)\}")

Block = dict[str, Any]


def is_older(top: Block) -> bool:
    """Whether a procedure names its dispenser at the top, as it did before roles had rights."""
    return "dispenser" in top and not _SAID_SINCE & set(top)


def complete(top: Block) -> None:
    """Add the values that the procedure implied."""
    meant = _meant()
    steps = [each for each in top.get("steps") or () if isinstance(each, dict)]
    _complete_roles(top, meant)
    _complete_documents(top, steps, meant)
    for step in steps:
        _complete_step(step, steps, meant)
    last = [step for step in steps if step.get("next") is None]
    if len(last) == 1:
        _complete_letter(top, last[0], steps, meant["letter"])
    for key in ("number_prefix", "office"):
        top[key] = meant[key]
    _complete_informed(top)
    for key in ("dispenser", "remind_ratio"):
        top.pop(key, None)


@cache
def _meant() -> dict[str, Any]:
    problems = Problems(MEANT)
    found = read(MEANT.read_text(encoding="utf-8"), str(MEANT), problems)
    return found.value


def _complete_roles(top: Block, meant: dict[str, Any]) -> None:
    roles = top.get("roles")
    if not isinstance(roles, dict):
        return
    for key, name in roles.items():
        may = [Right.SIGN.value]
        may += [right for right in (Right.SEE_PEOPLE, Right.ISSUE_LETTERS) if key in meant[right]]
        may += [Right.GRANT_DISPENSATIONS.value] * (key == top["dispenser"])
        roles[key] = {"name": name, "may": [str(right) for right in may]}


def _complete_documents(top: Block, steps: list[Block], meant: dict[str, Any]) -> None:
    documents = top.get("documents")
    if not isinstance(documents, dict):
        return
    numbers = [step.get("number") for step in steps]
    asked = {kind for step in steps if step.get("question") for kind in _left(step)}
    for key, title in documents.items():
        documents[key] = {
            "title": title,
            "evidence": key in meant["evidence"],
            "history": key in asked,
            "answers_of": [n for n in meant["answers_of"] if n in numbers and key in asked],
        }


def _left(step: Block) -> Iterator[Any]:
    """The kinds of documents a step may leave."""
    outputs = step.get("outputs")
    for output in outputs.values() if isinstance(outputs, dict) else ():
        yield output.get("document") if isinstance(output, dict) else None


def _complete_step(step: Block, steps: list[Block], meant: dict[str, Any]) -> None:
    fields = _fields(step)
    if step.get("return_to") is not None:
        wanted = [each for each in fields if each.get("name") == meant["reason"]]
        asking = [each for each in fields if each.get("required") or each.get("required_when")]
        step["reason"] = (wanted or asking or [{"name": meant["reason"]}])[0].get("name")
    for field in fields:
        if not _can_hold(field.get("required_when"), fields):
            del field["required_when"]
        if field.get("prefill") == "resolution":
            field["prefill"] = [
                f"{other.get('key')}.{name}"
                for other in steps
                for name in meant["resolution"]
                if name in _names(other) and _before(other, step)
            ]


def _can_hold(when: Any, fields: list[Block]) -> bool:
    """Whether a condition asks for an answer there is; one that does not was passed over."""
    if not isinstance(when, dict):
        return True
    asked = [each for each in fields if each.get("name") == when.get("field")]
    if not asked or asked[0].get("kind") not in ("choice", "yesno"):
        return True
    equals = when.get("equals")
    if asked[0].get("kind") == "yesno":
        return isinstance(equals, bool)
    return str(equals) in [str(each.get("value")) for each in asked[0].get("options") or ()]


def _before(other: Block, step: Block) -> bool:
    earlier, later = other.get("number"), step.get("number")
    return isinstance(earlier, int) and isinstance(later, int) and earlier < later


def _fields(step: Block) -> list[Block]:
    return [field for field in step.get("form") or () if isinstance(field, dict)]


def _names(step: Block) -> list[Any]:
    return [field.get("name") for field in _fields(step)]


def _complete_letter(top: Block, last: Block, steps: list[Block], meant: dict[str, Any]) -> None:
    # an instant has no words of its own that a sentence could take
    names = [each.get("name") for each in _fields(last) if each.get("kind") != "datetime"]

    def of_last(words: str) -> str:
        """The sentence with its slots named; empty when the form has no such field."""
        if not set(_OF_LAST.findall(words)) <= set(names):
            return ""
        return _OF_LAST.sub(lambda found: f"{{{last.get('key')}.{found[1]}}}", words)

    outputs = last.get("outputs")
    approve = outputs.get("approve") if isinstance(outputs, dict) else None
    if not isinstance(approve, dict):
        return
    letter = {**meant, "document": approve.get("document")}
    for key in ("number", "urgency", "recipient", "copies"):
        written = of_last(meant[key]["from"])
        otherwise = {"else": meant[key]["else"]}
        letter[key] = {"from": written, **otherwise} if written else otherwise
    body = [{"text": of_last(each["text"])} if "text" in each else each for each in meant["body"]]
    letter["body"] = [each for each in body if each.get("facts") or each.get("text")]
    before = [step for step in steps if step.get("next") == last.get("number")]
    kinds = [next(_left(step), None) for step in before]
    letter["attachments"] = {**meant["attachments"], "documents": list(dict.fromkeys(kinds))}
    top["letter"] = letter


def _complete_informed(top: Block) -> None:
    ratio, told = top.get("remind_ratio", 0.75), top.get("informed")
    top["informed"] = {
        "step": [{"at": ratio, "roles": [TURN]}, {"at": 1, "roles": [TURN]}],
        "overall": [{"at": ratio, "roles": [TURN, told]}, {"at": 1, "roles": [TURN, told]}],
        "closed": [told],
    }
