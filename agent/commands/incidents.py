"""Commands ``sigap incidents list|show|open|sign``.

The rules are the same as on the pages; the person proves their identity with the password.
``--json`` prints the bodies of the API.
"""

from __future__ import annotations

import argparse
import json
from datetime import datetime
from pathlib import Path
from typing import Any

from agent.commands.desk import desk, now, signer
from agent.commands.evidence import evidence_lines
from agent.commands.words import language_of, table
from agent.errors import LocalizedError
from agent.open_desk import Opened
from incidents.model import Decision, Incident, Person, Signer
from incidents.queries import IncidentDetails
from incidents.records.rows import IncidentRow
from incidents.workflow.actions import Sign
from probes import Severity, Text

_HEADS = (
    Text("NUMBER"),
    Text("SEVERITY"),
    Text("STEP"),
    Text("OPENED"),
    Text("DUE"),
    Text("TITLE"),
)
_SEVERITIES = {
    Severity.CLEAR: Text("clear"),
    Severity.WARNING: Text("warning"),
    Severity.CRITICAL: Text("critical"),
}
_CLOSED = Text("closed")
_OPENED = Text("opened {number}")
_SIGNED = Text("signed step {step} of {number}; {after}")
_NOW_AT = Text("now at step {step} ({role})")
_NOW_CLOSED = Text("closed", context="incident")
_NO_ACCOUNT = Text("no active account '{username}'; 'sigap people list' shows them")
_UNREADABLE = Text("the form {file} cannot be read: {error}")
_NO_JSON = Text('the form is not JSON: {error}; e.g. {{"field": "…"}}')
_NO_OBJECT = Text('the form must be a JSON object, e.g. {"field": "…"}')


def listing(given: argparse.Namespace) -> int:
    """``sigap incidents list``."""
    found: list[IncidentRow] = []
    with desk(given, reading=True) as (config, opened):
        after = None
        while True:
            page = opened.desk.queries.search(given.state, given.text, after)
            found += page.rows
            after = page.after
            if after is None:
                break
        if given.json:
            _print_listed(found)
            return 0
        zone, language = opened.calendar, language_of(given, config)
        rows = [
            (
                row.number,
                _SEVERITIES[row.severity].said_in(language),
                f"{row.step} {row.role}" if row.open else _CLOSED.said_in(language),
                _when(zone.local(row.opened_at)),
                _when(zone.local(row.due_at)) if row.due_at else "-",
                row.title.said_in(language),
            )
            for row in found
        ]
    print(table([head.said_in(language) for head in _HEADS], rows))
    return 0


def show(given: argparse.Namespace) -> int:
    """``sigap incidents show``."""
    with desk(given, reading=True) as (config, opened):
        who = _reader(given.username, opened)
        details = opened.desk.queries.details(given.number, who, now())
        if given.json:
            _print_whole(details)
            return 0
        lines = _shown(details, language_of(given, config))
    print("\n".join(lines))
    return 0


def _shown(details: IncidentDetails, language: str) -> list[str]:
    def say(words: Text) -> str:
        return words.said_in(language)

    incident, local = details.incident, details.calendar.local
    step = details.procedure.step(incident.step)
    turn = f"{say(Text('step'))} {step.number} ({step.role}): {step.title.said_in(language)}"
    outcome = incident.outcome.value if incident.outcome else ""
    worst = _SEVERITIES[incident.severity].said_in(language)
    lines = [
        f"{incident.number}  {incident.title.said_in(language)}",
        f"{worst}, {say(Text('opened'))} {_when(local(incident.opened_at))}, "
        f"{say(Text('version'))} {incident.version}",
        turn if incident.open else f"{_CLOSED.said_in(language)}: {outcome}",
        "",
    ]
    for trouble in incident.troubles:
        kind = say(Text("cause")) if trouble.root else say(Text("symptom"))
        state = _SEVERITIES[trouble.severity].said_in(language)
        lines.append(f"{kind:8}  {state:10}  {trouble.title.said_in(language)}")
        if trouble.hint.said_in(language) and trouble.severity > Severity.CLEAR:
            lines.append(f"{'':22}{trouble.hint.said_in(language)}")
        if trouble.evidence:
            lines += evidence_lines(
                trouble.evidence, trouble.earlier, lambda at: _when(local(at)), language
            )
    lines.append("")
    for line in details.timeline:
        lines.append(f"{_when(local(line.at))}  {line.actor_name}: {line.text.said_in(language)}")
    return lines


def report(given: argparse.Namespace) -> int:
    """``sigap incidents open``: a Form Laporan."""
    keys = ("title", "description", "target", "application", "agency", "reporter", "contact")
    form = {key: getattr(given, key) for key in keys if getattr(given, key)}
    form["severity"] = given.severity
    with desk(given) as (config, opened):
        who = signer(given, config, opened)
        incident = opened.desk.report_manually(form, who, now())
        said = _OPENED.format(number=incident.number).said_in(language_of(given, config))
        _done(given, incident, said, opened, who)
    return 0


def sign(given: argparse.Namespace) -> int:
    """``sigap incidents sign``."""
    with desk(given) as (config, opened):
        form = _form(given.form)
        who = signer(given, config, opened)
        seen = opened.desk.queries.incident(given.number)
        action = Sign(
            step=seen.step if given.step is None else given.step,
            decision=Decision(given.decision),
            form=form,
            version=seen.version if given.version is None else given.version,
        )
        incident = opened.desk.sign(given.number, action, who, now())
        step = opened.desk.queries.procedure(incident.number).step(incident.step)
        after = _NOW_AT.format(step=step.number, role=step.role) if incident.open else _NOW_CLOSED
        said = _SIGNED.format(step=action.step, number=incident.number, after=after)
        _done(given, incident, said.said_in(language_of(given, config)), opened, who)
    return 0


def _done(
    given: argparse.Namespace, incident: Incident, said: str, opened: Opened, who: Signer
) -> None:
    if given.json:
        _print_whole(opened.desk.queries.details(incident.number, who, now()))
    else:
        print(said)


def _print_listed(rows: list[IncidentRow]) -> None:
    """Print all at once what ``GET /api/v1/incidents`` returns page by page."""
    # a web framework, which plain text does without
    from incidents.web.api import schemas, serializers

    listed = [serializers.summary(row, now()) for row in rows]
    print(schemas.IncidentList(incidents=listed, after=None).model_dump_json(indent=2))


def _print_whole(details: IncidentDetails) -> None:
    """Print what ``GET /api/v1/incidents/NUMBER`` returns."""
    from incidents.web.api import serializers  # a web framework, which plain text does without
    from incidents.web.views.incident_view import case_of

    print(serializers.whole(case_of(details)).model_dump_json(indent=2))


def _reader(username: str, opened: Opened) -> Signer:
    """The person whose view to print; without one, a reader who holds no role and may sign
    nothing.
    """
    if not username:
        return Signer(Person("", ""), ())
    found = opened.people.signer(username, opened.calendar.local(now()).date())
    if found is None:
        raise LocalizedError(_NO_ACCOUNT.format(username=username))
    return found


def _form(text: str) -> dict[str, Any]:
    if text.startswith("@"):
        try:
            text = Path(text[1:]).read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise LocalizedError(_UNREADABLE.format(file=text[1:], error=error)) from None
    try:
        form = json.loads(text)
    except ValueError as error:
        raise LocalizedError(_NO_JSON.format(error=error)) from None
    if not isinstance(form, dict):
        raise LocalizedError(_NO_OBJECT)
    return form


def _when(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M}"
