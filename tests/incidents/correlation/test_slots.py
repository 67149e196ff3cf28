"""Correlation of a slot that is about to be lost."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from probes import Severity
from tests.incidents.builders import finding
from tests.incidents.reported import MINUTE, NOW, Desk, down, on


def test_a_slot_about_to_be_lost_is_the_cause_of_the_full_volume() -> None:
    desk = Desk()
    desk.report(on("a", "volume", "volume_room_ratio", subject="/srv"))
    slot = on("a", "replication", "slot_wal_status", subject="s1")
    desk.report(slot)
    assert desk.only.title == slot.title


def test_a_slot_forgotten_for_days_is_told_as_being_lost_once_it_is() -> None:
    """The earlier warning joins the incident and does not give it its name."""
    lost = finding("simpeg-primary", "slot_lost_in_seconds", "lupa", "replication")
    unread = replace(
        finding("simpeg-primary", "slot_active", "lupa", "replication", Severity.WARNING),
        at=NOW + MINUTE,
        since=NOW - timedelta(days=9),
    )
    desk = Desk()
    desk.report(lost)
    assert not desk.report(unread).root
    (root,) = [each for each in desk.only.troubles if each.root]
    assert root.fingerprint == str(lost.fingerprint)


def test_the_copy_of_a_failover_slot_is_lost_with_the_primarys_whoever_says_so_first() -> None:
    desk = Desk()
    copy = finding("simpeg-replica", "slot_wal_status", "surat", "replication", role="replica")
    own = finding("simpeg-primary", "slot_wal_status", "surat", "replication", role="primary")
    desk.report(copy)
    desk.report(replace(own, at=NOW + MINUTE, since=NOW + MINUTE))
    (root,) = [each for each in desk.only.troubles if each.root]
    assert root.fingerprint == str(own.fingerprint)


def test_a_forecast_raised_before_the_archive_says_that_it_fails_belongs_to_it() -> None:
    desk = Desk()
    desk.report(finding("simpeg-primary", "archive_failing_seconds", "", "archiving"))
    forecast = finding(
        "simpeg-primary", "filled_by_in_seconds", "/srv/pg_wal", "volume", Severity.WARNING
    )
    desk.report(replace(forecast, at=NOW + MINUTE, since=NOW - 10 * MINUTE))
    assert len(desk.only.troubles) == 2


def test_what_a_lost_slot_keeps_and_its_subscriber_has_not_confirmed_is_no_second_fault() -> None:
    desk = Desk()
    desk.report(on("a", "replication", "slot_invalidated", subject="s1"))
    for measure in ("slot_active", "slot_share_of_room_ratio", "slot_unconfirmed_bytes"):
        assert desk.report(on("a", "replication", measure, subject="s1")).rule == (
            "slot_is_being_lost"
        )


def test_all_that_is_said_of_the_slot_of_a_standby_that_left_belongs_to_its_leaving() -> None:
    """The standby goes by its own name, so that no subject ties the two."""
    desk = Desk()
    desk.report(on("a", "replication", "standby_connected", subject="replica1"))
    for measure in ("slot_share_of_room_ratio", "slot_unconfirmed_bytes", "declared_slot_missing"):
        assert desk.report(on("a", "replication", measure, subject="s1")).rule == (
            "standby_left_its_slot"
        )


def test_late_news_of_a_replica_that_catches_up_belongs_to_the_outage_before_it() -> None:
    desk = Desk()
    desk.report(down())
    desk.report(finding(severity=Severity.CLEAR, when=NOW + MINUTE, role="primary"))
    late = finding(
        "simpeg-replica",
        "heartbeat_late_seconds",
        family="replication",
        when=NOW + 5 * MINUTE,
        role="replica",
    )
    assert desk.report(late).rule == "catching_up"
