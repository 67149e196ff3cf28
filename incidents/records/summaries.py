"""Rows derived from the ledger: one summary per incident, and which incident has which finding
open.

They are written in the transaction that appends the events, so lists always match the record.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, Select, func, insert, select, update

from incidents.calendar.load import Calendar
from incidents.model import Event, Incident, Outcome
from incidents.procedure import sla
from incidents.procedure.load import Procedure
from incidents.procedure.model import number_of
from incidents.records.rows import IncidentRow, NoSuchIncident, Page
from incidents.store import tables
from probes import Severity, Text

_rows = tables.incidents
_findings = tables.findings

MOST_ROWS = 200
"""A page of a search never holds more."""


def summarise(
    connection: Connection,
    incident: Incident,
    last: Event,
    procedure: Procedure,
    calendar: Calendar,
    now: datetime,
) -> None:
    """Write the summary row of an incident whose newest event is ``last``."""
    step = procedure.step(incident.step)
    visit = incident.visits[-1]
    clocks = sla.clocks(incident, procedure, calendar, now)
    current = clocks.current
    values = {
        "is_open": int(incident.open),
        "version": incident.version,
        "step": incident.step,
        "attempt": visit.attempt,
        "step_title_id": step.title.id,
        "step_title_en": step.title.en,
        "role": step.role if incident.open else "",
        "severity": int(incident.severity),
        "red": int(incident.red),
        "title_id": incident.title.id,
        "title_en": incident.title.en,
        "source": incident.source,
        "target": incident.target,
        "cluster": incident.cluster,
        "application": incident.application,
        "agency": incident.agency,
        "family": incident.family,
        "opened_at": incident.opened_at,
        "entered_at": visit.entered_at,
        "claimed_by": visit.claimed_by,
        "due_at": current.due_at if current else None,
        "overall_due_at": clocks.overall.due_at if incident.open else None,
        "wake_at": sla.next_wake(incident, procedure, calendar, now),
        "closed_at": incident.closed_at,
        "outcome": incident.outcome.value if incident.outcome else "",
        "previous": incident.previous,
        "procedure": incident.procedure,
        "calendar": incident.calendar,
        "last_sequence": last.sequence,
        "last_hash": last.hash,
        "words": _words(incident),
    }
    changed = connection.execute(
        update(_rows).where(_rows.c.number == incident.number).values(**values)
    )
    if changed.rowcount == 0:
        connection.execute(
            insert(_rows).values(number=incident.number, position=last.sequence, **values)
        )


def _words(incident: Incident) -> str:
    said = (
        incident.number,
        incident.title.id,
        incident.title.en,
        incident.target,
        incident.cluster,
        incident.application,
        incident.agency,
    )
    return "\n".join(said).lower()


def _summaries() -> Select[Any]:
    """Every summary, with the worst severity its findings have now (none: no probe reports it)."""
    present = (
        select(func.max(_findings.c.severity))
        .where(_findings.c.incident == _rows.c.number)
        .scalar_subquery()
    )
    return select(_rows, present.label("present"))


def row(connection: Connection, number: str) -> IncidentRow:
    """One summary; raises ``NoSuchIncident``."""
    found = connection.execute(_summaries().where(_rows.c.number == number)).first()
    if found is None:
        raise NoSuchIncident(number)
    return _row(found)


def open_rows(connection: Connection) -> tuple[IncidentRow, ...]:
    """Every open incident, the oldest first."""
    query = _summaries().where(_rows.c.is_open == 1).order_by(_rows.c.position)
    return tuple(_row(found) for found in connection.execute(query))


def open_heads(connection: Connection) -> tuple[tuple[str, int], ...]:
    """Number and last ledger sequence of every open incident, the oldest first."""
    query = (
        select(_rows.c.number, _rows.c.last_sequence)
        .where(_rows.c.is_open == 1)
        .order_by(_rows.c.position)
    )
    return tuple((row.number, row.last_sequence) for row in connection.execute(query))


def due_numbers(connection: Connection, now: datetime) -> tuple[str, ...]:
    """Incidents with a reminder or a breach to record at ``now``."""
    query = select(_rows.c.number).where(_rows.c.wake_at <= now).order_by(_rows.c.wake_at)
    return tuple(connection.execute(query).scalars())


def search(connection: Connection, state: str, text: str, after: int | None, limit: int) -> Page:
    """A page of incidents, the newest first; raises ValueError for an unknown state."""
    limit = max(1, min(limit, MOST_ROWS))
    query = _summaries().order_by(_rows.c.position.desc()).limit(limit + 1)
    if state not in ("open", "closed", "all"):
        raise ValueError(f"state is open, closed or all, not {state!r}")
    if state != "all":
        query = query.where(_rows.c.is_open == int(state == "open"))
    for word in text.lower().replace("\0", " ").split():
        query = query.where(_rows.c.words.contains(word, autoescape=True))
    if after is not None:
        query = query.where(_rows.c.position < after)
    found = [_row(each) for each in connection.execute(query)]
    more = len(found) > limit
    return Page(tuple(found[:limit]), found[limit - 1].position if more else None)


def _row(found: Row[Any]) -> IncidentRow:
    return IncidentRow(
        number=found.number,
        open=bool(found.is_open),
        version=found.version,
        step=found.step,
        attempt=found.attempt,
        step_title=Text.written({"id": found.step_title_id, "en": found.step_title_en}),
        role=found.role,
        severity=Severity(found.severity),
        present=Severity(found.severity if found.present is None else found.present),
        red=bool(found.red),
        title=Text.written({"id": found.title_id, "en": found.title_en}),
        source=found.source,
        target=found.target,
        cluster=found.cluster,
        application=found.application,
        agency=found.agency,
        family=found.family,
        opened_at=found.opened_at,
        entered_at=found.entered_at,
        claimed_by=found.claimed_by,
        due_at=found.due_at,
        overall_due_at=found.overall_due_at,
        closed_at=found.closed_at,
        outcome=Outcome(found.outcome) if found.outcome else None,
        previous=found.previous,
        position=found.position,
    )


@dataclass(frozen=True, slots=True)
class OpenFinding:
    """A finding as last recorded in an open incident."""

    number: str
    severity: Severity


@dataclass(frozen=True, slots=True)
class ClosedFinding:
    """The last incident that had a finding and no longer has it; ``held``: the severity up to which
    a person declared it not a disruption, CLEAR if nobody did or it has been clear since.
    """

    number: str
    held: Severity


def history(
    connection: Connection, fingerprint: str
) -> tuple[OpenFinding | None, ClosedFinding | None]:
    """Where a finding is open, and where it was last; the store allows one open incident."""
    query = (
        select(_findings.c.incident, _findings.c.severity, _findings.c.is_open, _findings.c.held)
        .where(_findings.c.fingerprint == fingerprint)
        .order_by(_findings.c.is_open.desc(), _findings.c.position.desc())
        .limit(2)
    )
    known, past = None, None
    for row in connection.execute(query):
        if row.is_open:
            known = OpenFinding(row.incident, Severity(row.severity))
        elif past is None:
            past = ClosedFinding(row.incident, Severity(row.held))
    return known, past


def around(
    connection: Connection, fingerprint: str
) -> tuple[OpenFinding | None, ClosedFinding | None, tuple[tuple[str, int], ...]]:
    """A finding's history, and number and last ledger sequence of every open incident."""
    return *history(connection, fingerprint), open_heads(connection)


def awaited(connection: Connection) -> frozenset[str]:
    """The findings whose clearing would change something: bad in an open incident, or suppressed
    until they were clear once.
    """
    red = select(_findings.c.fingerprint).where(_findings.c.is_open == 1, _findings.c.severity > 0)
    held = select(_findings.c.fingerprint).where(_findings.c.held > 0)
    return frozenset(connection.execute(red).scalars()) | frozenset(
        connection.execute(held).scalars()
    )


def hold(connection: Connection, number: str, fingerprint: str, severity: Severity) -> None:
    """Bind a finding to an open incident. Raises IntegrityError if another holds it."""
    bound = select(_findings.c.position).where(
        _findings.c.incident == number, _findings.c.fingerprint == fingerprint
    )
    if connection.execute(bound).first() is None:
        sequence = select(_rows.c.last_sequence).where(_rows.c.number == number).scalar_subquery()
        connection.execute(
            insert(_findings).values(
                incident=number,
                fingerprint=fingerprint,
                severity=int(severity),
                is_open=1,
                held=0,
                position=sequence,
            )
        )
    else:
        connection.execute(
            update(_findings)
            .where(_findings.c.incident == number, _findings.c.fingerprint == fingerprint)
            .values(severity=int(severity), is_open=1)
        )


def let_go(connection: Connection, number: str, held_back: bool) -> None:
    """Release the findings of a closed incident. ``held_back``: a person declared that what is
    still bad is not a disruption, so it opens nothing until it was clear once or gets worse.
    """
    held: Any = _findings.c.severity if held_back else 0
    connection.execute(
        update(_findings)
        .where(_findings.c.incident == number, _findings.c.is_open == 1)
        .values(is_open=0, held=held)
    )


def hand_over(connection: Connection, fingerprint: str) -> None:
    """Release a finding from its incident so that another one can take it."""
    connection.execute(
        update(_findings)
        .where(_findings.c.fingerprint == fingerprint, _findings.c.is_open == 1)
        .values(is_open=0)
    )


def release(connection: Connection, fingerprint: str) -> None:
    """End the suppression of a finding that is clear now."""
    connection.execute(
        update(_findings)
        .where(_findings.c.fingerprint == fingerprint, _findings.c.is_open == 0)
        .values(held=0)
    )


def next_number(connection: Connection, prefix: str, year: int) -> str:
    """The next incident number of a year, without gaps: the writer holds the ledger's head.

    Counts on when the prefix changes, so that a number says once which incident it is.
    """
    name = f"number:{year}"
    used = connection.execute(
        select(tables.meta.c.value).where(tables.meta.c.name == name)
    ).scalar()
    count = int(used or 0) + 1
    if used is None:
        connection.execute(insert(tables.meta).values(name=name, value=str(count)))
    else:
        connection.execute(
            update(tables.meta).where(tables.meta.c.name == name).values(value=str(count))
        )
    return number_of(prefix, year, count)


def keep_contents(connection: Connection, contents: Iterable[tuple[str, str, str]]) -> None:
    """Store (hash, kind, body) of procedures and calendars, each once."""
    kept = tables.contents
    for hash_, kind, body in contents:
        if connection.execute(select(kept.c.hash).where(kept.c.hash == hash_)).first() is None:
            connection.execute(insert(kept).values(hash=hash_, kind=kind, body=body))


def content(connection: Connection, hash_: str) -> str:
    """The body stored under a hash; raises LookupError."""
    kept = tables.contents
    body = connection.execute(select(kept.c.body).where(kept.c.hash == hash_)).scalar()
    if body is None:
        raise LookupError(f"nothing is kept under the hash {hash_}")
    return str(body)
