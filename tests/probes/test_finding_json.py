"""A finding as JSON: what one side writes, the other reads back unchanged."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from probes import Evidence, Exhibit, Finding, Severity, Text
from probes.words.finding_json import from_json, to_json

AT = datetime(2026, 11, 30, 5, 0, tzinfo=UTC)
SAID = Text.written({"id": "Replika tertinggal 412 detik", "en": "The replica lags by 412 s"})
NAMED = Text.written({"id": "Replika tertinggal", "en": "The replica lags"})
FINDING = Finding(
    target="simpeg-primary",
    probe="replication_lag",
    measure="replication_lag_seconds",
    subject="simpeg/replica",
    severity=Severity.CRITICAL,
    title=SAID,
    hint=Text.verbatim("SHOW REPLICA STATUS"),
    family="replication",
    at=AT,
    since=AT - timedelta(minutes=5),
    value=412.0,
    limit=300.0,
    unit="seconds",
    opens=True,
    about={"cluster": "simpeg", "role": "primary"},
    cause="timeout",
    headline=NAMED,
    seen_last=SAID,
    evidence=Evidence(
        AT, (Exhibit(NAMED, ("state", "pid"), ((SAID, "7"), ("-", "8")), note="2 of 3"),)
    ),
)


def test_a_finding_read_back_is_the_one_that_was_written() -> None:
    assert from_json(json.loads(json.dumps(to_json(FINDING)))) == FINDING


def test_a_clear_finding_without_figures_is_read_back_too() -> None:
    clear = replace(
        FINDING, severity=Severity.CLEAR, value=None, limit=None, evidence=None, headline=SAID
    )
    assert from_json(to_json(clear)) == clear


def test_without_evidence_nothing_else_is_missing() -> None:
    assert from_json(to_json(FINDING), with_evidence=False) == replace(FINDING, evidence=None)


def test_a_record_of_the_first_version_is_read_with_what_it_has() -> None:
    kept = {
        "fingerprint": "a1/availability/up/",
        "target": "a1",
        "family": "availability",
        "title": {"id": "a1 mati", "en": "a1 is down"},
        "hint": {"id": "", "en": ""},
        "severity": "critical",
        "root": True,
        "since": "2026-11-30T05:00:00+00:00",
        "seen_at": "2026-11-30T05:00:00+00:00",
    }
    found = from_json(kept)
    assert (found.probe, found.measure, found.subject) == ("availability", "up", "")
    assert found.name == Text.written({"id": "a1 mati", "en": "a1 is down"})
    assert not found.opens
    assert found.evidence is None
