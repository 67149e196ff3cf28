"""The state of an incident after its events, and which events can follow which."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from incidents.ledger import payloads
from incidents.model import Decision, Event, EventKind, Outcome
from incidents.workflow import fold
from incidents.workflow.actions import RefusalKind
from probes import Evidence, Exhibit, Severity
from probes.words import finding_json
from tests.incidents.builders import CALENDAR, MORNING, PROCEDURE, Case, finding, green
from tests.support.words import both


def test_the_straight_way_is_one_to_nine_and_closes_as_resolved() -> None:
    case = green()
    walked = []
    while case.incident.open:
        walked.append(case.incident.step)
        assert case.sign(MORNING) is None
    assert walked == [1, 2, 3, 4, 5, 6, 7, 8, 9]
    assert case.incident.outcome is Outcome.RESOLVED
    assert case.incident.closed_at == MORNING


def test_no_at_seven_leads_over_five_and_six_back_to_seven() -> None:
    case = green(7)
    assert case.sign(MORNING, Decision.RETURN) is None
    walked = [(case.incident.step, case.incident.visits[-1].attempt)]
    while case.incident.step != 8:
        assert case.sign(MORNING) is None
        walked.append((case.incident.step, case.incident.visits[-1].attempt))
    assert walked == [(5, 2), (6, 2), (7, 2), (8, 1)]


def test_no_at_eight_leads_back_to_seven() -> None:
    case = green(8)
    assert case.sign(MORNING, Decision.RETURN) is None
    assert (case.incident.step, case.incident.visits[-1].attempt) == (7, 2)


def test_a_return_without_a_reason_is_refused_and_the_reason_named() -> None:
    case = green(7)
    refused = case.sign(MORNING, Decision.RETURN, return_reason=None)
    assert refused is not None
    assert refused.kind is RefusalKind.FORM
    assert "Alasan dan arahan pemeriksaan ulang" in refused.reason.id
    assert set(refused.fields) == {"return_reason"}


def test_a_trouble_that_clears_and_returns_is_one_trouble_with_a_flap() -> None:
    case = Case(MORNING)
    red = [case.incident.red]
    case.clear(MORNING + timedelta(minutes=5))
    red.append(case.incident.red)
    back = finding(when=MORNING + timedelta(minutes=8))
    case.write(EventKind.OBSERVED, MORNING + timedelta(minutes=8), "sigap", payloads.observed(back))
    red.append(case.incident.red)
    trouble = case.incident.troubles[0]
    assert red == [True, False, True]
    assert (trouble.raised_count, trouble.green_seconds, trouble.first_at) == (2, 180.0, MORNING)


def test_a_root_that_comes_later_renames_the_incident() -> None:
    lag = finding("simpeg-replica", "receiver_up", family="replication", when=MORNING)
    case = Case(MORNING, lag)
    down = finding("simpeg-primary", when=MORNING)
    case.write(EventKind.ATTACHED, MORNING, "sigap", payloads.attached(down, root=True))
    assert case.incident.title == down.title
    assert (case.incident.family, case.incident.target) == ("availability", "simpeg-primary")
    assert [trouble.root for trouble in case.incident.troubles] == [False, True]


def test_a_symptom_keeps_the_title_and_the_worst_severity_stays() -> None:
    case = Case(MORNING, finding(severity=Severity.WARNING))
    worse = finding("simpeg-replica", "lag", family="replication")
    case.write(EventKind.ATTACHED, MORNING, "sigap", payloads.attached(worse, root=False))
    assert case.incident.title == finding().title
    assert case.incident.severity is Severity.CRITICAL


def test_evidence_of_the_onset_stays_with_the_trouble() -> None:
    exhibit = Exhibit(both("Pohon", "Tree"), ("pid",), (("7",),), "note")
    first = replace(finding(), evidence=Evidence(MORNING, (exhibit,)))
    case = Case(MORNING, first)
    later = replace(finding(severity=Severity.WARNING), evidence=Evidence(MORNING, ()))
    case.write(EventKind.OBSERVED, MORNING, "sigap", payloads.observed(later))
    evidence = case.incident.troubles[0].evidence
    assert evidence is not None
    assert evidence["exhibits"][0]["rows"] == [["7"]]


def shown(minute: int) -> Evidence:
    return Evidence(MORNING + timedelta(minutes=minute), (Exhibit(both("T", "T"), (), ()),))


def minutes(case: Case) -> list[int]:
    """When the evidence of the first trouble was taken, in minutes, as a page shows it."""
    trouble = case.incident.troubles[0]
    kept = [each for each in (trouble.evidence, *trouble.earlier) if each]
    return [int((fold.taken_at(each) - MORNING).total_seconds() // 60) for each in kept]


def test_the_evidence_of_every_onset_is_kept_and_the_newest_comes_first() -> None:
    case = Case(MORNING, replace(finding(), evidence=shown(0)))
    for minute in (10, 20, 20, 5):
        again = replace(finding(), evidence=shown(minute))
        case.write(EventKind.OBSERVED, MORNING, "sigap", payloads.observed(again))
    assert minutes(case) == [20, 10, 0]


def test_of_many_onsets_the_first_and_the_newest_are_kept() -> None:
    case = Case(MORNING, replace(finding(), evidence=shown(0)))
    for minute in range(1, 21):
        again = replace(finding(), evidence=shown(minute))
        case.write(EventKind.OBSERVED, MORNING, "sigap", payloads.observed(again))
    assert minutes(case) == [20, 19, 18, 17, 16, 0]


def test_words_of_ours_in_evidence_are_kept_in_both_languages_and_a_servers_as_said() -> None:
    state, size = both("menganggur", "idle"), both("5 kB", "5 kB")
    note = both("20 tertua", "the oldest 20")
    exhibit = Exhibit(both("Sesi", "Sessions"), ("pid", "s", "b"), (("7", state, size),), note)
    (kept,) = finding_json.evidence(Evidence(MORNING, (exhibit,)))["exhibits"]
    assert kept["rows"] == [["7", {"id": "menganggur", "en": "idle"}, "5 kB"]]
    assert kept["note"] == {"id": "20 tertua", "en": "the oldest 20"}
    said = replace(exhibit, note="permission denied for table x")
    (kept,) = finding_json.evidence(Evidence(MORNING, (said,)))["exhibits"]
    assert kept["note"] == "permission denied for table x"


def opening(**extra: object) -> Event:
    payload = payloads.opened(finding(), procedure="p", calendar="c", first_step=1)
    return Event(1, "GDB-2026-0001", EventKind.OPENED, MORNING, "sigap", {**payload, **extra})


def test_payload_keys_nobody_knows_are_passed_over() -> None:
    plain = fold.apply(None, opening(), PROCEDURE)
    assert fold.apply(None, opening(colour="red"), PROCEDURE) == plain


@pytest.mark.parametrize(
    "event",
    [
        opening(),
        Event(2, "GDB-2026-0002", EventKind.NOTED, MORNING, "x", {"text": "x"}),
        Event(2, "GDB-2026-0001", EventKind.SIGNED, MORNING, "x", {"step": 5}),
        Event(2, "GDB-2026-0001", EventKind.SIGNED, MORNING, "x", {}),
        Event(2, "GDB-2026-0001", EventKind.NOTED, MORNING, "x", {}),
        Event(2, "GDB-2026-0001", EventKind.CLEARED, MORNING, "x", {"fingerprint": "?"}),
    ],
)
def test_an_event_that_cannot_follow_is_refused(event: Event) -> None:
    incident = fold.apply(None, opening(), PROCEDURE)
    with pytest.raises(fold.FoldError):
        fold.apply(incident, event, PROCEDURE)


def test_a_history_without_an_opening_is_refused() -> None:
    with pytest.raises(fold.FoldError):
        fold.fold([], PROCEDURE)
    note = Event(1, "GDB-2026-0001", EventKind.NOTED, MORNING, "x", {"text": "x"})
    with pytest.raises(fold.FoldError):
        fold.apply(None, note, PROCEDURE)


def test_nothing_can_be_signed_into_a_closed_history() -> None:
    case = Case(MORNING).to(2, MORNING)
    case.dismiss(MORNING, Outcome.DUPLICATE)
    with pytest.raises(fold.FoldError):
        case.write(EventKind.NOTED, MORNING, "putri", payloads.noted("x"))
    late = payloads.breached(1, 1, MORNING)
    case.write(EventKind.BREACHED, MORNING, "sigap", late)
    assert case.incident.visits[0].breached_at == MORNING


def test_a_reported_incident_opens_without_a_probe() -> None:
    payload = payloads.reported(
        {"title": "Aplikasi lambat"},
        source="person",
        title=both("Aplikasi lambat", "Application slow"),
        severity=Severity.CRITICAL,
        procedure=PROCEDURE.hash,
        calendar=CALENDAR.hash,
        first_step=1,
        application="SIMPEG",
    )
    event = Event(1, "GDB-2026-0002", EventKind.OPENED, MORNING, "putri", payload)
    incident = fold.apply(None, event, PROCEDURE)
    assert (incident.troubles, incident.red, incident.source) == ((), False, "person")
    assert incident.report == {"title": "Aplikasi lambat"}
