"""Creates stores with many incidents in seconds.

One incident is opened by the desk; the others repeat its opening event under other numbers,
appended through the ledger, with a copy of its summary row. Closed ones are closed only in their
rows, which is what lists read.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import insert, select

from incidents.calendar import load as calendar
from incidents.desk import Desk
from incidents.ledger import chain as ledger
from incidents.ledger.chain import Draft
from incidents.model import SYSTEM, Assignment, Basis, EventKind, Person, Signer
from incidents.people.accounts import People
from incidents.procedure import load as procedure
from incidents.store import Store, open_store, tables
from probes import Finding, Severity, Text

PASSWORD = "rahasia-ukur-7"
_BATCH = 2000
_SINCE = datetime(2026, 1, 5, 1, 0, tzinfo=UTC)


def opened(url: str) -> tuple[Store, Desk, People]:
    """A new store with its desk."""
    store = open_store(url)
    return store, Desk(store, procedure.load("kaltim"), calendar.load("kaltim")), People(store)


def member(people: People) -> Signer:
    """A person who may view the inbox."""
    person = Person("putri", "Putri Maharani, S.T.", "19910202 201603 2 002", "Pranata Komputer")
    people.add(person, PASSWORD, _SINCE)
    assignment = Assignment("putri", "PP", Basis.DEFINITIVE, "800/012/2026")
    people.assign(assignment, _SINCE)
    return Signer(person, (assignment,))


def finding(number: int, at: datetime, severity: Severity = Severity.CRITICAL) -> Finding:
    """A server that is down, one of many."""
    name = f"db{number:07}"
    return Finding(
        target=name,
        probe="availability",
        measure="up",
        subject="",
        severity=severity,
        title=Text("{name} cannot be used", name=name),
        hint=Text("Check its service."),
        family="availability",
        at=at,
        since=at,
        value=0.0,
        limit=0.0,
        opens=severity is Severity.CRITICAL,
    )


def fill(store: Store, desk: Desk, incidents: int, still_open: int) -> None:
    """Have so many incidents, ``still_open`` of them open: the first and the newest."""
    first = desk.report(finding(0, _SINCE), _SINCE).number
    event = desk.queries.events(first)[0]
    with store.read() as connection:
        row = dict(
            connection.execute(
                select(tables.incidents).where(tables.incidents.c.number == first)
            ).one()._mapping
        )  # fmt: skip
    for start in range(1, incidents, _BATCH):
        numbers = range(start, min(start + _BATCH, incidents))
        _batch(store, numbers, incidents - still_open, event.payload, row)
    if store.kind == "postgresql":
        with store.engine.connect() as connection:
            connection.exec_driver_sql("analyze")


def _batch(
    store: Store, numbers: range, closed: int, payload: Any, template: dict[str, Any]
) -> None:
    drafts = [
        Draft(_name(n), EventKind.OPENED, _at(n), SYSTEM, payload) for n in numbers
    ]  # fmt: skip
    with store.write() as connection:
        events = ledger.append(connection, drafts)
        rows = []
        for number, event in zip(numbers, events, strict=True):
            is_open = number > closed  # the first one is open too
            at = _at(number)
            changed = {
                "number": event.incident,
                "target": f"db{number:07}",
                "opened_at": at,
                "entered_at": at,
                "position": event.sequence,
                "last_sequence": event.sequence,
                "last_hash": event.hash,
                "is_open": int(is_open),
            }
            if not is_open:
                changed |= {"closed_at": at, "outcome": "resolved", "role": "", "wake_at": None}
            rows.append(template | changed)
        connection.execute(insert(tables.incidents), rows)


def _name(number: int) -> str:
    return f"GDB-2025-{number:07}"


def _at(number: int) -> datetime:
    return _SINCE + timedelta(seconds=20 * number)


def sqlite(folder: Path) -> str:
    """The address of a store in ``folder``."""
    return f"sqlite:///{folder / 'sigap.db'}"
