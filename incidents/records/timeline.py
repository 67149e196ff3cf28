"""Timeline of an incident: one sentence per event."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from incidents.ledger.payloads import CLOCK_BEHIND
from incidents.model import JSON, SYSTEM, Event, EventKind
from incidents.procedure.load import Procedure
from probes import Text
from probes.i18n.formats import duration
from probes.words.finding_json import moment_of, text_of

_SYSTEM_NAME = "Sigap"


@dataclass(frozen=True, slots=True)
class TimelineEntry:
    """One event of a timeline, ready to show."""

    sequence: int
    at: datetime
    kind: EventKind
    actor: str  # username, or SYSTEM
    actor_name: str  # as printed; "Sigap" for the system
    text: Text
    detail: JSON  # the event's own payload
    hash: str


def lines(
    events: Iterable[Event], procedure: Procedure, names: Mapping[str, str]
) -> tuple[TimelineEntry, ...]:
    """The timeline of one incident; ``names`` gives the printed name of a username.

    A reminder and a breach are listed at their deadline, not when they were recorded.
    """
    found = []
    titles: dict[str, Text] = {}
    for event in events:
        trouble = event.payload.get("trouble")
        if trouble:
            named = trouble.get("headline") or trouble["title"]
            titles[trouble["fingerprint"]] = text_of(named)
        said = _of_clock(_SENTENCES[event.kind](event.payload, procedure, titles), event.payload)
        name = event.payload.get("name") or names.get(event.actor) or event.actor
        found.append(
            TimelineEntry(
                sequence=event.sequence,
                at=_stands_at(event),
                kind=event.kind,
                actor=event.actor,
                actor_name=_SYSTEM_NAME if event.actor == SYSTEM else str(name),
                text=said,
                detail=event.payload,
                hash=event.hash,
            )
        )
    return tuple(found)


def _of_clock(said: Text, payload: JSON) -> Text:
    """The sentence, with a remark when the host's clock had gone back."""
    behind = payload.get(CLOCK_BEHIND)
    if not behind:
        return said
    return Text(
        "{said} (written while the clock of Sigap's host was {behind} back)",
        said=said,
        behind=duration(float(behind)),
    )


def _stands_at(event: Event) -> datetime:
    if event.kind in (EventKind.REMINDED, EventKind.BREACHED):
        return moment_of(event.payload["deadline"])
    return event.at


_Titles = Mapping[str, Text]


def _step(payload: JSON, procedure: Procedure) -> Text:
    number = int(payload["step"])
    if number == 0:
        return Text("the whole procedure")
    title = procedure.step(number).title
    return Text("step {n} ({title})", n=number, title=title)


def _opened(payload: JSON, _procedure: Procedure, _titles: _Titles) -> Text:
    source = _SOURCES.get(payload["source"], _SOURCES["person"])
    return Text(
        "Incident opened {source}: {title}",
        source=source,
        title=text_of((payload.get("trouble") or payload)["title"]),
    )


_SOURCES = {
    "probe": Text("by monitoring"),
    "person": Text("from a report of staff"),
    "agency": Text("from a report of an agency"),
    "alertmanager": Text("by another monitoring system"),
}

_SEVERITIES = {
    "critical": Text("critical"),
    "warning": Text("warning"),
    "clear": Text("clear"),
}


def _attached(payload: JSON, _procedure: Procedure, _titles: _Titles) -> Text:
    trouble = payload["trouble"]
    form = (
        Text("The cause was found: {title}{because}")
        if trouble["root"]
        else Text("A symptom joined: {title}{because}")
    )
    because = text_of(payload.get("because") or {})
    if because.en:
        because = Text.joined("", [" (", because, ")"])
    return form.format(title=text_of(trouble["title"]), because=because)


def _observed(payload: JSON, _procedure: Procedure, _titles: _Titles) -> Text:
    trouble = payload["trouble"]
    return Text(
        "Monitoring says {severity}: {title}",
        severity=_SEVERITIES[trouble["severity"]],
        title=text_of(trouble["title"]),
    )


def _cleared(payload: JSON, _procedure: Procedure, titles: _Titles) -> Text:
    fingerprint = payload["fingerprint"]
    title = titles.get(fingerprint, Text.verbatim(fingerprint))
    if payload.get("moved"):
        return Text("Goes on in another incident: {title}", title=title)
    if payload.get("last") and text_of(payload["last"]) != title:
        return Text(
            "Monitoring says it is clear: {title}. Seen last: {last}",
            title=title,
            last=text_of(payload["last"]),
        )
    return Text("Monitoring says it is clear: {title}", title=title)


def _claimed(payload: JSON, procedure: Procedure, _titles: _Titles) -> Text:
    return Text("Took on {step}", step=_step(payload, procedure))


def _signed(payload: JSON, procedure: Procedure, _titles: _Titles) -> Text:
    form = (
        Text("Signed {step}")
        if payload["decision"] == "approve"
        else Text("Returned at {step}: {why}")
    )
    reason = procedure.step(int(payload["step"])).reason
    why = str(payload["form"].get(reason, ""))
    return form.format(step=_step(payload, procedure), why=why)


def _dismissed(payload: JSON, _procedure: Procedure, _titles: _Titles) -> Text:
    form = (
        Text("Closed as a duplicate of {other}: {why}")
        if payload["outcome"] == "duplicate"
        else Text("Closed, not a disruption: {why}")
    )
    return form.format(other=payload.get("duplicate_of", ""), why=payload["reason"])


def _noted(payload: JSON, _procedure: Procedure, _titles: _Titles) -> Text:
    return Text.verbatim(str(payload["text"]))


def _dispensed(payload: JSON, procedure: Procedure, _titles: _Titles) -> Text:
    return Text(
        "Granted {who} a dispensation for {step}: {why}",
        who=payload["username"],
        step=_step(payload, procedure),
        why=payload["reason"],
    )


def _reminded(payload: JSON, procedure: Procedure, _titles: _Titles) -> Text:
    told = procedure.informed.step if payload["step"] else procedure.informed.overall
    return Text(
        "{ratio} % of the time for {step} has passed",
        ratio=round(told.share * 100),
        step=_step(payload, procedure),
    )


def _breached(payload: JSON, procedure: Procedure, _titles: _Titles) -> Text:
    return Text("The time limit of {step} has passed", step=_step(payload, procedure))


_SENTENCES: Mapping[EventKind, Callable[[Mapping[str, Any], Procedure, _Titles], Text]] = {
    EventKind.OPENED: _opened,
    EventKind.ATTACHED: _attached,
    EventKind.OBSERVED: _observed,
    EventKind.CLEARED: _cleared,
    EventKind.CLAIMED: _claimed,
    EventKind.SIGNED: _signed,
    EventKind.DISMISSED: _dismissed,
    EventKind.NOTED: _noted,
    EventKind.DISPENSED: _dispensed,
    EventKind.REMINDED: _reminded,
    EventKind.BREACHED: _breached,
}
