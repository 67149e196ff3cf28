"""Checks the Form Laporan of a person, an agency or a webhook."""

from __future__ import annotations

from datetime import datetime

from incidents.ledger import payloads
from incidents.ledger.canonical_json import NotCanonical, canonical
from incidents.model import JSON
from incidents.procedure import limits
from incidents.records.repository import VersionedRules
from incidents.workflow.actions import ActionRefused, Refusal, RefusalKind
from probes import Text
from probes.words.finding_json import severity_of

SOURCES = ("person", "agency", "alertmanager")


def manual_report(form: JSON, source: str, rules: VersionedRules) -> JSON:
    """The OPENED payload of a report. Raises ``ActionRefused`` naming every field that is wrong;
    ValueError for an unknown source.
    """
    if source not in SOURCES:
        raise ValueError(f"source is one of {', '.join(SOURCES)}, not {source!r}")
    problems = _problems(form)
    if problems:
        raise ActionRefused(
            Refusal(
                RefusalKind.FORM,
                Text.joined(" ", problems.values()),
                problems,
            )
        )
    report = {name: value.strip() for name, value in form.items() if str(value).strip()}
    return payloads.reported(
        report,
        source=source,
        title=Text.verbatim(report["title"]),
        severity=severity_of(str(report.get("severity", "critical"))),
        procedure=rules.procedure.hash,
        calendar=rules.calendar.hash,
        first_step=rules.procedure.first,
        target=report.get("target", ""),
        application=report.get("application", ""),
        agency=report.get("agency", ""),
    )


def _problems(form: JSON) -> dict[str, Text]:
    problems: dict[str, Text] = {}
    for name, value in form.items():
        problem = _problem(name, value)
        if problem is not None:
            problems[name] = problem
    if not str(form.get("title") or "").strip():
        problems["title"] = Text("Say what is disrupted.")
    return problems


def _problem(name: str, value: object) -> Text | None:
    if name not in limits.REPORT:
        return Text("The report form has no field {name}.", name=name)
    if not isinstance(value, str):
        return Text("The field {name} must be text.", name=name)
    if len(value) > limits.REPORT[name]:
        return Text(
            "The field {name} takes at most {most} characters.", name=name, most=limits.REPORT[name]
        )
    try:
        canonical(value)
    except NotCanonical:
        return Text("The field {name} contains a character that cannot be kept.", name=name)
    if name == "severity" and value.strip() not in ("", "warning", "critical"):
        return Text("The severity is warning or critical.")
    if name == "occurred_at" and value.strip() and not _is_instant(value.strip()):
        return Text("The time of the event is written like 2026-01-31T14:05+08:00.")
    return None


def _is_instant(value: str) -> bool:
    try:
        return datetime.fromisoformat(value).tzinfo is not None
    except ValueError:
        return False
