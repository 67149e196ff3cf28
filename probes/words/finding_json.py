"""A finding as JSON: the form that the ledger stores, the API returns and an agent sends.

Texts keep both languages as they were written, so that a record reads the same in ten years.
``from_json`` also reads what earlier versions wrote, with fewer keys.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from probes.model import NOTHING_SAID, Evidence, Exhibit, Severity, Text, Words
from probes.words.finding import Finding, Fingerprint

JSON = dict[str, Any]


def to_json(finding: Finding) -> JSON:
    """The whole finding; ``from_json`` gives an equal one back, but for a headline left out."""
    found: JSON = {
        "fingerprint": str(finding.fingerprint),
        "target": finding.target,
        "family": finding.family,
        "title": text(finding.title),
        "headline": text(finding.name),
        "hint": text(finding.hint),
        "runbook": text(finding.runbook),
        "severity": severity(finding.severity),
        "since": moment(finding.since),
        "seen_at": moment(finding.at),
        "value": finding.value,
        "limit": finding.limit,
        "unit": finding.unit,
        "about": dict(finding.about),
        "cause": finding.cause,
        "opens": finding.opens,
    }
    if finding.seen_last != NOTHING_SAID:
        found["last"] = text(finding.seen_last)
    if finding.evidence is not None:
        found["evidence"] = evidence(finding.evidence)
    return found


def from_json(found: Mapping[str, Any], *, with_evidence: bool = True) -> Finding:
    """The finding that was written so; ``KeyError`` or ``ValueError`` for what is none.

    Without evidence it is cheap: the tables are neither read nor checked.
    """
    name = Fingerprint.parse(found["fingerprint"])
    shown = found.get("evidence") if with_evidence else None
    return Finding(
        target=name.target,
        probe=name.probe,
        measure=name.measure,
        subject=name.subject,
        severity=severity_of(found["severity"]),
        title=text_of(found["title"]),
        hint=text_of(found["hint"]),
        family=found["family"],
        at=moment_of(found["seen_at"]),
        since=moment_of(found["since"]),
        value=found.get("value"),
        limit=found.get("limit"),
        unit=found.get("unit", ""),
        opens=bool(found.get("opens", False)),
        about=dict(found.get("about") or {}),
        runbook=text_of(found.get("runbook")),
        evidence=None if shown is None else evidence_of(shown),
        cause=found.get("cause", ""),
        headline=text_of(found.get("headline")),
        seen_last=text_of(found.get("last")),
    )


def evidence(taken: Evidence) -> JSON:
    """``taken_at`` (ISO) and ``exhibits``, each with ``title`` {id, en}, ``columns`` (English),
    ``headings`` (the columns as a person reads them), ``rows`` and ``note``. A heading, a cell and
    a note are {id, en} where the words are ours and differ, else a string."""
    return {
        "taken_at": moment(taken.taken_at),
        "exhibits": [
            {
                "title": text(exhibit.title),
                "columns": [
                    name.en if isinstance(name, Text) else name for name in exhibit.columns
                ],
                "headings": [words(name) for name in exhibit.columns],
                "rows": [[words(cell) for cell in row] for row in exhibit.rows],
                "note": words(exhibit.note),
            }
            for exhibit in taken.exhibits
        ],
    }


def evidence_of(found: Mapping[str, Any]) -> Evidence:
    """The evidence that was written so."""
    return Evidence(
        taken_at=moment_of(found["taken_at"]),
        exhibits=tuple(
            Exhibit(
                title=text_of(each["title"]),
                columns=tuple(map(words_of, each.get("headings", each["columns"]))),
                rows=tuple(tuple(words_of(cell) for cell in row) for row in each["rows"]),
                note=words_of(each["note"]),
            )
            for each in found["exhibits"]
        ),
    )


def text(said: Text) -> dict[str, str]:
    """Words in the languages that are recorded."""
    return said.recorded


def text_of(said: Mapping[str, str] | None) -> Text:
    """A text as it was recorded; nothing said where nothing was."""
    return Text.written(said) if said else NOTHING_SAID


def words(said: Words) -> JSON | str:
    if isinstance(said, Text):
        return said.en if said.id == said.en else text(said)
    return said


def words_of(said: Mapping[str, str] | str) -> Words:
    return said if isinstance(said, str) else text_of(said)


def severity(level: Severity) -> str:
    return level.name.lower()


def severity_of(word: str) -> Severity:
    return Severity[word.upper()]


def moment(at: datetime) -> str:
    """An instant as ISO 8601 in UTC."""
    return at.astimezone(UTC).isoformat()


def moment_of(iso: str) -> datetime:
    return datetime.fromisoformat(iso)
