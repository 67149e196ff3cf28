"""Findings at the desk: one fault, one incident, however often it is reported."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from incidents.desk import Desk
from incidents.model import Change, Outcome, Refused
from incidents.store import Store
from incidents.workflow.actions import ActionRefused, Dismiss
from probes import Severity
from tests.incidents.office_of_five import MINUTE, MONDAY, desk_on, finding, signer, walk
from tests.support.words import both


@pytest.fixture
def desk(store: Store) -> Desk:
    return desk_on(store)


def opened(desk: Desk) -> str:
    reported = desk.report(finding(), MONDAY)
    assert reported.change is Change.OPENED
    return reported.number


def test_a_finding_opens_once_however_often_it_is_stated(desk: Desk) -> None:
    assert desk.report(finding(), MONDAY).change is Change.OPENED
    before = desk.queries.ledger_head()
    for turn in range(5):
        stated = replace(finding(at=MONDAY + turn * MINUTE), value=float(turn))
        assert desk.report(stated, MONDAY + turn * MINUTE).change is Change.NOTHING
    assert desk.queries.ledger_head() == before
    assert len(desk.queries.open_incidents()) == 1


def test_a_clear_finding_with_nothing_open_writes_nothing(desk: Desk) -> None:
    assert desk.report(finding(Severity.CLEAR), MONDAY).change is Change.NOTHING
    assert desk.queries.ledger_head().sequence == 0


def test_a_warning_alone_opens_nothing(desk: Desk) -> None:
    assert desk.report(finding(Severity.WARNING), MONDAY).change is Change.NOTHING
    assert desk.queries.ledger_head().sequence == 0


def test_a_warning_joins_the_open_incident_it_belongs_to(desk: Desk) -> None:
    number = opened(desk)
    symptom = finding(
        Severity.WARNING, probe="blocked_sessions", measure="blocked_seconds", family="locks"
    )
    assert desk.report(symptom, MONDAY).change is Change.ATTACHED
    assert [each.root for each in desk.queries.incident(number).troubles] == [True, False]
    assert desk.report(symptom, MONDAY).change is Change.NOTHING


def test_a_symptom_that_returns_without_its_cause_is_the_next_fault(desk: Desk) -> None:
    first = opened(desk)
    symptom = finding(probe="replication_lag", measure="receiver_up", family="replication")
    assert desk.report(symptom, MONDAY).change is Change.ATTACHED
    cleared = MONDAY + MINUTE
    desk.report(finding(Severity.CLEAR, at=cleared), cleared)
    desk.report(replace(symptom, severity=Severity.CLEAR, at=cleared), cleared)

    later = MONDAY + 5 * MINUTE
    again = desk.report(replace(symptom, at=later, since=later), later)
    assert again.change is Change.OPENED
    assert again.number != first
    assert not desk.queries.incident(first).red
    assert desk.report(replace(symptom, severity=Severity.CLEAR, at=later), later).number == (
        again.number
    )


def test_a_symptom_that_returns_with_its_cause_stays_where_it_was(desk: Desk) -> None:
    first = opened(desk)
    symptom = finding(probe="replication_lag", measure="receiver_up", family="replication")
    desk.report(symptom, MONDAY)
    cleared = MONDAY + MINUTE
    desk.report(replace(symptom, severity=Severity.CLEAR, at=cleared), cleared)
    again = desk.report(replace(symptom, at=cleared, since=cleared), cleared)
    assert (again.change, again.number) == (Change.OBSERVED, first)


def test_a_cause_that_flaps_stays_one_incident_under_its_first_title(desk: Desk) -> None:
    number = opened(desk)
    title = desk.queries.incident(number).title
    for minute in (1, 3, 5):
        gone, back = MONDAY + minute * MINUTE, MONDAY + (minute + 1) * MINUTE
        desk.report(finding(Severity.CLEAR, at=gone), gone)
        again = desk.report(replace(finding(at=back), title=both("lagi", "again")), back)
        assert (again.change, again.number) == (Change.OBSERVED, number)
    assert desk.queries.incident(number).title == title
    assert len(desk.queries.open_incidents()) == 1


def test_a_server_that_fails_in_another_way_is_the_next_fault(desk: Desk) -> None:
    first = desk.report(finding(cause="timeout"), MONDAY).number
    gone, back = MONDAY + MINUTE, MONDAY + 2 * MINUTE
    desk.report(finding(Severity.CLEAR, at=gone), gone)
    second = desk.report(finding(at=back, cause="refused"), back)
    assert second.change is Change.OPENED
    assert second.number != first
    assert not desk.queries.incident(first).red
    assert desk.report(finding(at=back, cause="timeout"), back).change is Change.NOTHING


def test_an_outage_takes_over_the_replica_that_came_back_red_with_it(desk: Desk) -> None:
    lag = finding(
        target="simpeg-replica",
        probe="replication_lag",
        measure="receiver_up",
        family="replication",
        role="replica",
    )
    first = desk.report(lag, MONDAY).number
    gone, back = MONDAY + MINUTE, MONDAY + 2 * MINUTE
    desk.report(replace(lag, severity=Severity.CLEAR, at=gone), gone)
    assert desk.report(replace(lag, at=back, since=back), back).number == first

    outage = desk.report(finding(at=back, role="primary"), back)
    assert outage.change is Change.OPENED
    assert outage.number != first
    assert not desk.queries.incident(first).red
    assert [
        each.fingerprint for each in desk.queries.incident(outage.number).troubles if not each.root
    ] == [str(lag.fingerprint)]
    later = back + MINUTE
    healed = desk.report(replace(lag, severity=Severity.CLEAR, at=later), later)
    assert (healed.change, healed.number) == (Change.CLEARED, outage.number)


def test_a_replica_that_stops_again_with_its_primary_belongs_to_the_outage(desk: Desk) -> None:
    lag = finding(
        target="simpeg-replica",
        probe="replication_lag",
        measure="receiver_up",
        family="replication",
        role="replica",
    )
    first = desk.report(lag, MONDAY).number
    gone, back = MONDAY + MINUTE, MONDAY + 2 * MINUTE
    desk.report(replace(lag, severity=Severity.CLEAR, at=gone), gone)
    outage = desk.report(finding(at=back, role="primary"), back).number
    again = desk.report(replace(lag, at=back, since=back), back)
    assert (again.change, again.number) == (Change.ATTACHED, outage)
    assert not desk.queries.incident(first).red


def test_another_clusters_fault_is_another_incident(desk: Desk) -> None:
    opened(desk)
    other = desk.report(finding(target="esurat", cluster="esurat"), MONDAY)
    assert (other.change, other.number) == (Change.OPENED, "GDB-2026-0002")


def test_a_cleared_finding_closes_nothing(desk: Desk) -> None:
    number = opened(desk)
    assert desk.report(finding(Severity.CLEAR), MONDAY + MINUTE).change is Change.CLEARED
    assert desk.report(finding(Severity.CLEAR), MONDAY + MINUTE).change is Change.NOTHING
    incident = desk.queries.incident(number)
    assert incident.open
    assert not incident.red
    assert not desk.queries.row(number).red


def test_a_flap_is_observed_in_the_same_incident(desk: Desk) -> None:
    number = opened(desk)
    desk.report(finding(Severity.CLEAR, at=MONDAY + MINUTE), MONDAY + MINUTE)
    again = desk.report(finding(at=MONDAY + 2 * MINUTE), MONDAY + 2 * MINUTE)
    assert (again.change, again.number) == (Change.OBSERVED, number)
    assert desk.queries.incident(number).troubles[0].raised_count == 2


def test_trouble_that_returns_after_closing_opens_a_new_incident_linked_to_the_old(
    desk: Desk,
) -> None:
    number = opened(desk)
    desk.report(finding(Severity.CLEAR), MONDAY)
    now = walk(desk, number, 0, MONDAY)
    again = desk.report(finding(at=now), now)
    assert again.change is Change.OPENED
    assert desk.queries.incident(again.number).previous == number


def test_what_a_person_called_no_disruption_stays_closed_until_it_was_clear_or_gets_worse(
    desk: Desk,
) -> None:
    warning = finding(Severity.WARNING, opens=True)
    number = desk.report(warning, MONDAY).number
    now = walk(desk, number, 2, MONDAY)
    version = desk.queries.incident(number).version
    action = Dismiss(Outcome.NOT_A_DISRUPTION, "uji beban terjadwal", version)
    desk.dismiss(number, action, signer("PA"), now)
    assert desk.report(warning, now).change is Change.NOTHING
    worse = desk.report(finding(), now)
    assert worse.change is Change.OPENED
    assert desk.queries.incident(worse.number).previous == number


def test_what_was_held_back_counts_again_once_it_was_clear(desk: Desk) -> None:
    number = opened(desk)
    now = walk(desk, number, 2, MONDAY)
    action = Dismiss(Outcome.NOT_A_DISRUPTION, "salah paham", desk.queries.incident(number).version)
    desk.dismiss(number, action, signer("PA"), now)
    head = desk.queries.ledger_head()
    assert desk.report(finding(), now).change is Change.NOTHING
    assert desk.report(finding(Severity.CLEAR), now).change is Change.NOTHING
    assert desk.queries.ledger_head() == head
    assert desk.report(finding(), now).change is Change.OPENED


def test_a_duplicate_hands_its_red_findings_to_the_incident_it_repeats(desk: Desk) -> None:
    kept = opened(desk)
    twin = finding(target="esurat", cluster="esurat")
    number = desk.report(twin, MONDAY).number
    now = walk(desk, number, 2, MONDAY)
    version = desk.queries.incident(number).version
    with pytest.raises(ActionRefused, match="There is no incident GDB-1999-0001"):
        action = Dismiss(Outcome.DUPLICATE, "sama", version, "GDB-1999-0001")
        desk.dismiss(number, action, signer("PA"), now)
    desk.dismiss(number, Dismiss(Outcome.DUPLICATE, "sama", version, kept), signer("PA"), now)
    assert desk.queries.incident(number).outcome is Outcome.DUPLICATE
    held = {trouble.fingerprint for trouble in desk.queries.incident(kept).troubles}
    assert str(twin.fingerprint) in held
    assert desk.report(twin, now) == desk.report(twin, now)
    assert desk.report(twin, now).number == kept


def test_a_rejected_account_passed_on_from_a_duplicate_still_explains_its_replicas(
    desk: Desk,
) -> None:
    kept = desk.report(finding(target="esurat", cluster="esurat"), MONDAY).number
    primary, replica = (
        replace(
            finding(target=role, cluster="simpeg"),
            measure="fresh_login_ok",
            cause="denied",
            about={"cluster": "simpeg", "role": role},
        )
        for role in ("primary", "replica")
    )
    number = desk.report(primary, MONDAY).number
    now = walk(desk, number, 2, MONDAY)
    version = desk.queries.incident(number).version
    desk.dismiss(number, Dismiss(Outcome.DUPLICATE, "sama", version, kept), signer("PA"), now)
    assert desk.report(replace(replica, at=now, since=now), now).number == kept


def test_replicas_that_still_reject_the_account_their_primary_takes_are_the_next_fault(
    desk: Desk,
) -> None:
    def states(target: str, minutes: float, severity: Severity = Severity.CRITICAL) -> str:
        now = MONDAY + timedelta(minutes=minutes)
        about = {"cluster": "simpeg", "role": target.partition("-")[0]}
        found = replace(
            finding(severity, target=target, cluster="simpeg"),
            measure="fresh_login_ok",
            cause="denied",
            about=about,
            at=now,
            since=MONDAY if severity is not Severity.CLEAR else now,
        )
        return desk.report(found, now).number

    first = states("primary", 0)
    assert states("replica-1", 0) == states("replica-2", 0) == first
    states("primary", 10, Severity.CLEAR)
    assert states("replica-1", 14) == states("replica-2", 14) == first, "the change is on its way"
    apart = states("replica-1", 16)
    assert apart != first
    assert states("replica-2", 16) == apart
    assert not desk.queries.incident(first).red


def test_what_a_server_says_reaches_the_record_whatever_it_is(desk: Desk) -> None:
    odd = replace(finding(), value=float("nan"), about={"application": "a\0b\ud800", "x": "y"})
    number = desk.report(odd, MONDAY).number
    assert desk.queries.incident(number).application == "a�b?"


def test_numbers_have_no_gaps_and_follow_the_year_of_the_office(desk: Desk) -> None:
    numbers = [
        desk.report(finding(target=f"t{i}", cluster=f"c{i}"), MONDAY).number for i in range(3)
    ]
    with pytest.raises(Refused):
        desk.report_manually({"title": ""}, signer("PP"), MONDAY)
    manual = desk.report_manually({"title": "Aplikasi lambat"}, signer("PP"), MONDAY).number
    assert [*numbers, manual] == [f"GDB-2026-{n:04d}" for n in range(1, 5)]
    # 16.30 UTC on New Year's Eve is already the new year in Samarinda
    eve = MONDAY.replace(month=12, day=31, hour=16, minute=30)
    late = desk.report(finding(target="t9", cluster="c9"), eve)
    assert late.number == "GDB-2027-0001"
