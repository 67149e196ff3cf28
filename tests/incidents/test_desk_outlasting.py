"""Symptoms that outlast their cause: which leave after a time, and which stay."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from incidents.correlation import table as causes
from incidents.correlation.match import outlasts
from incidents.desk import Desk
from incidents.store import Store
from probes import Finding, Severity
from tests.incidents import reported
from tests.incidents.office_of_five import MONDAY, desk_on, finding
from tests.incidents.reported import MINUTE, NOW, on

SLOT = finding(measure="slot_lost_in_seconds", family="replication", subject="replica1")
FILLS = finding(measure="filled_by_in_seconds", family="volume", subject="/srv/pg_wal")
FULL = finding(measure="volume_room_ratio", family="volume", subject="/srv/pg_wal")
DOWN = finding()
CONNECTIONS = finding(measure="connections_used_ratio", family="connections")
PILE_UP = finding(measure="blocked_sessions", family="locks")


@pytest.fixture
def desk(store: Store) -> Desk:
    return desk_on(store)


def states(
    desk: Desk, found: Finding, minutes: float, severity: Severity = Severity.CRITICAL
) -> str:
    """The incident that ``found`` is in once it is stated so many minutes after the beginning."""
    now = MONDAY + timedelta(minutes=minutes)
    opens = severity is Severity.CRITICAL
    return desk.report(replace(found, severity=severity, opens=opens, at=now), now).number


def test_a_volume_that_goes_on_filling_does_not_keep_the_name_of_a_slot_that_was_not_lost(
    desk: Desk,
) -> None:
    """As seen: a forecast of a slot's loss, over two rounds later, had taken in the database that
    filled the volume for good."""
    slot = states(desk, SLOT, 0)
    assert states(desk, FILLS, 0) == slot
    states(desk, SLOT, 1, Severity.CLEAR)
    assert states(desk, FILLS, 30) == slot, "WAL goes with the next checkpoints, not at once"
    own = states(desk, FILLS, 31)
    assert own != slot
    assert not desk.queries.incident(slot).red
    assert desk.queries.incident(own).title == FILLS.title
    assert "another incident" in desk.queries.timeline(slot)[-1].text.en
    assert states(desk, FILLS, 300) == own


def test_a_volume_that_has_been_relieved_in_time_leaves_nothing(desk: Desk) -> None:
    slot = states(desk, SLOT, 0)
    states(desk, FULL, 0)
    states(desk, SLOT, 1, Severity.CLEAR)
    assert states(desk, FULL, 20, Severity.CLEAR) == slot
    assert len(desk.queries.open_incidents()) == 1


def test_a_server_that_a_full_volume_has_stopped_stays_in_its_incident_until_it_is_started(
    desk: Desk,
) -> None:
    """Room alone starts no server: that is the same fault, however long it takes."""
    full = states(desk, FULL, 0)
    assert states(desk, DOWN, 1) == full
    states(desk, FULL, 10, Severity.CLEAR)
    assert states(desk, DOWN, 24 * 60) == full


def test_connections_that_stay_used_up_after_the_pile_up_are_the_next_fault(desk: Desk) -> None:
    pile_up = states(desk, PILE_UP, 0)
    assert states(desk, CONNECTIONS, 0) == pile_up
    states(desk, PILE_UP, 2, Severity.CLEAR)
    assert states(desk, CONNECTIONS, 6) == pile_up
    assert states(desk, CONNECTIONS, 8) != pile_up


def test_an_effect_stays_while_anything_else_there_explains_it(desk: Desk) -> None:
    """The archive fails too, on the same volume: the slot is over, the WAL is not."""
    archive = finding(measure="archive_failing_seconds", family="archiving")
    slot = states(desk, SLOT, 0)
    assert states(desk, FULL, 0) == slot
    assert states(desk, archive, 1) == slot, "the volume is full"
    states(desk, SLOT, 2, Severity.CLEAR)
    assert states(desk, FULL, 120) == slot


def begins(desk: Desk, found: Finding, minutes: float, severity: Severity) -> str:
    """The same for what began only then."""
    since = MONDAY + timedelta(minutes=minutes)
    return states(desk, replace(found, since=since), minutes, severity)


CRASHED = finding(measure="crash_recovered")
BLIND = finding(measure="disk_growth", probe="disk_growth", family="blind")


def test_a_server_that_comes_back_from_its_crash_is_one_incident(desk: Desk) -> None:
    down = states(desk, DOWN, 0)
    states(desk, DOWN, 10, Severity.CLEAR)
    assert begins(desk, CRASHED, 10.2, Severity.CRITICAL) == down
    assert states(desk, CRASHED, 25, Severity.CLEAR) == down
    assert [each.number for each in desk.queries.open_incidents()] == [down]


def test_a_crash_long_after_an_outage_that_waits_for_signatures_is_a_fault_of_its_own(
    desk: Desk,
) -> None:
    down = states(desk, DOWN, 0)
    states(desk, DOWN, 1, Severity.CLEAR)
    assert begins(desk, CRASHED, 60, Severity.CRITICAL) != down


def test_a_warning_that_comes_back_joins_what_explains_it_now_not_what_has_healed(
    desk: Desk,
) -> None:
    """As observed: the password was wrong and a probe blind; later the connections were used up,
    the probe was blind again, and that was recorded in the incident of the password.
    """
    password = states(desk, DOWN, 0)
    assert begins(desk, BLIND, 0.5, Severity.WARNING) == password
    states(desk, DOWN, 1, Severity.CLEAR)
    states(desk, BLIND, 1, Severity.CLEAR)
    connections = begins(desk, CONNECTIONS, 5, Severity.CRITICAL)
    assert connections != password
    assert begins(desk, BLIND, 5.2, Severity.WARNING) == connections
    assert not desk.queries.incident(password).red


def test_a_warning_that_comes_back_unexplained_leaves_the_healed_incident_alone(
    desk: Desk,
) -> None:
    down = states(desk, DOWN, 0)
    begins(desk, BLIND, 0.5, Severity.WARNING)
    states(desk, DOWN, 1, Severity.CLEAR)
    states(desk, BLIND, 1, Severity.CLEAR)
    assert begins(desk, BLIND, 5, Severity.WARNING) == ""
    assert not desk.queries.incident(down).red
    states(desk, BLIND, 6, Severity.CLEAR)
    assert [each.number for each in desk.queries.open_incidents()] == [down]


def test_a_root_that_comes_back_milder_is_the_same_fault(desk: Desk) -> None:
    full = states(desk, FULL, 0)
    states(desk, FULL, 1, Severity.CLEAR)
    assert begins(desk, FULL, 5, Severity.WARNING) == full
    assert desk.queries.incident(full).red


CAUSE = on("a", "replication", "slot_lost_in_seconds", subject="s1")
EFFECT = on("a", "volume", "filled_by_in_seconds", subject="/srv")
(RULE,) = [each for each in causes.shipped().rules if each.name == "slot_fills_the_volume"]


@settings(suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.tuples(st.integers(1, 40), st.booleans()), max_size=12), st.integers(0, 90))
def test_an_effect_outlasts_its_cause_only_when_that_has_been_clear_for_long_enough(
    turns: list[tuple[int, bool]], last: int
) -> None:
    """However often the cause goes and comes back: what counts is how long it is gone now."""
    desk = reported.Desk()
    desk.report(CAUSE)
    desk.report(EFFECT)
    now, gone_at = NOW, None
    for minutes, stands in turns:
        now += minutes * MINUTE
        if stands:
            desk.report(replace(CAUSE, at=now, since=now))
            gone_at = None
        else:
            desk.report(replace(CAUSE, at=now, since=now, severity=Severity.CLEAR))
            gone_at = gone_at or now
    now += last * MINUTE
    over = gone_at is not None and RULE.parts is not None and now - gone_at >= RULE.parts
    assert outlasts(replace(EFFECT, at=now), desk.only) is over


def test_every_rule_of_a_cause_says_what_becomes_of_an_effect_that_outlasts_it(
    tmp_path: Path,
) -> None:
    path = tmp_path / "table.yaml"
    path.write_text(
        "early_minutes: 1\nlead_minutes: 1\n"
        "rules: [{name: a, cause: {family: b, severity: critical}, effects: [{family: c}], "
        "scope: target, because: {id: a, en: b}}]",
        encoding="utf-8",
    )
    with pytest.raises(ValueError, match="parts_minutes: is missing"):
        causes.load(path)
