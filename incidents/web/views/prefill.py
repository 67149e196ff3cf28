"""First values of a form, from facts the record already has.

The person who signs may change all of it; the measured values stay in the findings.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from incidents.model import Incident, Trouble
from incidents.procedure.load import FieldKind, Procedure, Step
from incidents.procedure.model import Answer
from incidents.web.display.formatting import Sayer
from probes import Severity, Text

_SOURCES = {
    "probe": Text("Sigap's own monitoring"),
    "person": Text("reported by staff"),
    "agency": Text("reported by the owning agency"),
    "alertmanager": Text("Alertmanager"),
}


def source_words(source: str) -> Text:
    """Where an incident came from, in words."""
    return _SOURCES.get(source, Text.verbatim(source))


def prefilled(step: Step, incident: Incident, procedure: Procedure, say: Sayer) -> dict[str, Any]:
    """First values for the fields of ``step`` that ask for a fact."""
    facts = _facts(incident, say)
    first: dict[str, Any] = {}
    for field in step.form:
        if field.prefill == "source" and field.kind is FieldKind.CHOICE:
            first[field.name] = incident.source  # the words are for reading; a choice wants its key
        elif field.carries:
            first[field.name] = _carried(incident, procedure, field.carries)
        else:
            first[field.name] = facts.get(field.prefill, "")
    return {name: value for name, value in first.items() if value}


def _facts(incident: Incident, say: Sayer) -> dict[str, str]:
    told = {key: str(value) for key, value in incident.report.items() if value}
    return {
        "title": incident.title.said_in(say.language),
        "target": incident.target,
        "application": incident.application,
        "agency": incident.agency,
        "opened_at": incident.opened_at.isoformat(),
        "source": source_words(incident.source).said_in(say.language),
        "reporter": told.get("reporter", ""),
        "evidence": _evidence(incident, say),
        "findings": "\n".join(_finding(trouble, say) for trouble in incident.troubles)
        or told.get("description", ""),
        "verdict": "\n".join(verdict(trouble, say) for trouble in incident.troubles),
        "now": say.now.isoformat(),
    }


def _finding(trouble: Trouble, say: Sayer) -> str:
    return f"{trouble.title.said_in(say.language)} ({trouble.target})"


def verdict(trouble: Trouble, say: Sayer) -> str:
    """What the probe has measured since the opening, in one line."""
    state = _state(trouble).said_in(say.language)
    flaps = trouble.raised_count - 1
    words = Text("{title}: {state}; first red {first}, last red {last}, came back {flaps} times")
    return words.said_in(say.language).format(
        title=trouble.title.said_in(say.language),
        state=state,
        first=say.time(trouble.first_at),
        last=say.time(trouble.last_at),
        flaps=flaps,
    )


def _state(trouble: Trouble) -> Text:
    if trouble.severity is Severity.CLEAR:
        return Text("recovered")
    return Text("still red")


def _evidence(incident: Incident, say: Sayer) -> str:
    lines = []
    for trouble in incident.troubles:
        for exhibit in (trouble.evidence or {}).get("exhibits", ()):
            title = Text.written(exhibit["title"]).said_in(say.language)
            lines.append(
                Text("{title}: {rows} rows (attached)")
                .said_in(say.language)
                .format(title=title, rows=len(exhibit["rows"]))
            )
    return "\n".join(lines)


def _carried(incident: Incident, procedure: Procedure, answers: Sequence[Answer]) -> str:
    """The newest of these answers that somebody signed: described once, later forms start there."""
    for visit in reversed(incident.visits):
        if visit.signoff is not None:
            key = procedure.step(visit.step).key
            for answer in answers:
                if answer.step == key and visit.signoff.form.get(answer.field):
                    return str(visit.signoff.form[answer.field])
    return ""
