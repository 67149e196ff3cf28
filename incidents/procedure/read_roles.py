"""Reads roles, letterhead, kinds of documents and who is informed from a procedure file."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from files.strict_yaml import Entry
from incidents.model import Basis
from incidents.procedure.model import TURN, DocumentKind, Informed, Reminder, Right, Role
from incidents.procedure.references import some_of

OFFICE = ("government", "agency", "address", "contacts", "place", "sop_number", "sop_title")
_ACTING = (Basis.PLT, Basis.PLH)


def roles(top: Entry) -> list[Role]:
    """The roles: each a name, or a block that also says what it may do."""
    block = top.entry("roles")
    found = [_role(block, str(key)) for key in block.value]
    dispensers = [role.key for role in found if Right.GRANT_DISPENSATIONS in role.rights]
    if len(dispensers) > 1:
        top.wrong(f"only one role grants dispensations; these do: {dispensers}", "roles")
    if any(role.key == TURN for role in found):
        block.wrong(f"{TURN!r} stands for whoever's turn it is; choose another code", TURN)
    return found


def _role(block: Entry, key: str) -> Role:
    if not _is_block(block, key, "name"):
        return Role(key, block.text(key))
    entry = block.entry(key)
    entry.only(("name", "may", "acting"))
    may = some_of(entry, "may", frozenset(Right))
    acting = some_of(entry, "acting", _ACTING) if "acting" in entry.value else _ACTING
    return Role(
        key,
        entry.text("name"),
        frozenset(right for right in Right if right in may),
        tuple(basis for basis in _ACTING if basis in acting),
    )


def documents(top: Entry) -> dict[str, DocumentKind]:
    """The kinds of documents: each a title, or a block that also says what it prints."""
    block = top.entry("documents")
    numbers = {entry.value.get("number") for entry in top.entries("steps")}
    return {str(key): _document(block, str(key), numbers) for key in block.value}


def _document(block: Entry, key: str, numbers: Collection[object]) -> DocumentKind:
    if not _is_block(block, key, "title"):
        return DocumentKind(key, block.text(key))
    entry = block.entry(key)
    entry.only(("title", "evidence", "history", "answers_of"))
    answers_of = entry.integers("answers_of")
    for number in answers_of:
        if number not in numbers:
            entry.wrong(f"there is no step {number}", "answers_of")
    return DocumentKind(
        key,
        entry.text("title"),
        evidence=entry.boolean("evidence", False),
        history=entry.boolean("history", False),
        answers_of=answers_of,
    )


def _is_block(block: Entry, key: str, wanted: str) -> bool:
    value = block.value.get(key)
    return isinstance(value, Mapping) and (wanted in value or not set(value) & {"id", "en"})


def office(top: Entry) -> dict[str, str]:
    """What the letterhead says unless agent.yaml says otherwise."""
    if not top.has("office"):
        return {}
    entry = top.entry("office")
    entry.only(OFFICE)
    return {key: entry.string(key) for key in OFFICE if key in entry.value}


def informed(top: Entry, known: Collection[str]) -> Informed:
    """Who is informed at which share of the limits, and at the end."""
    entry = top.entry("informed")
    entry.only(("step", "overall", "closed"))
    told = frozenset({*known, TURN})
    return Informed(
        step=_reminder(entry, "step", told),
        overall=_reminder(entry, "overall", told),
        closed=some_of(entry, "closed", frozenset(known)),
    )


def _reminder(entry: Entry, key: str, known: Collection[str]) -> Reminder:
    shares: dict[float, tuple[str, ...]] = {}
    for each in entry.entries(key):
        each.only(("at", "roles"))
        share = each.number("at")
        if not 0 < share <= 1:
            each.wrong("expected a share of the limit: more than 0, at most 1", "at")
        shares[share] = some_of(each, "roles", known)
    early = sorted(share for share in shares if share < 1)
    if len(early) != 1 or 1 not in shares:
        entry.wrong("expected two: one at a share below 1, and one at 1, the limit itself", key)
        return Reminder(0.75, (), ())
    return Reminder(early[0], shares[early[0]], shares[1])
