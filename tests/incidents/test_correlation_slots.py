"""A slot that is being lost: what it explains, and that its own warning does not hide it."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from probes import Severity
from tests.incidents.builders import finding
from tests.incidents.reported import MINUTE, NOW, Desk, on


def test_a_slot_about_to_be_lost_is_the_cause_of_the_full_volume() -> None:
    desk = Desk()
    desk.report(on("a", "volume", "volume_room_ratio", subject="/srv"))
    slot = on("a", "replication", "slot_wal_status", subject="s1")
    desk.report(slot)
    assert desk.only.title == slot.title


def test_a_slot_forgotten_for_days_is_told_as_being_lost_once_it_is() -> None:
    """The warning stood long before; it neither stays apart nor gives the incident its name."""
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
    assert root.fingerprint == lost.fingerprint


def test_the_copy_of_a_failover_slot_is_lost_with_the_primarys_whoever_says_so_first() -> None:
    desk = Desk()
    copy = finding("simpeg-replica", "slot_wal_status", "surat", "replication", role="replica")
    own = finding("simpeg-primary", "slot_wal_status", "surat", "replication", role="primary")
    desk.report(copy)
    desk.report(replace(own, at=NOW + MINUTE, since=NOW + MINUTE))
    (root,) = [each for each in desk.only.troubles if each.root]
    assert root.fingerprint == own.fingerprint


def test_a_forecast_raised_before_the_archive_says_that_it_fails_belongs_to_it() -> None:
    desk = Desk()
    desk.report(finding("simpeg-primary", "archive_failing_seconds", "", "archiving"))
    forecast = finding(
        "simpeg-primary", "filled_by_in_seconds", "/srv/pg_wal", "volume", Severity.WARNING
    )
    desk.report(replace(forecast, at=NOW + MINUTE, since=NOW - 10 * MINUTE))
    assert len(desk.only.troubles) == 2
