"""One fault, one incident; two faults, two."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from incidents.correlation import table as causes
from incidents.correlation.match import Match, match
from probes import Finding, Severity
from tests.incidents.builders import finding
from tests.incidents.reported import MINUTE, NOW, Desk, blocked, down, full, lag, on


def test_the_same_trouble_joins_its_own_incident_whatever_it_says_now() -> None:
    desk = Desk()
    desk.report(down())
    assert desk.report(down(when=NOW + MINUTE)).known
    clear = finding(severity=Severity.CLEAR, when=NOW + 2 * MINUTE, role="primary")
    assert desk.report(clear).known
    assert not desk.only.red
    assert desk.report(down(when=NOW + timedelta(days=2))).known


def test_a_dead_server_absorbs_everything_about_it() -> None:
    desk = Desk()
    desk.report(down())
    for family in ("replication", "locks", "connections", "blind", "role", "something_new"):
        warning = finding(measure=f"m_{family}", family=family, severity=Severity.WARNING)
        placed = desk.report(warning)
        assert (placed.number, placed.root) == ("GDB-2026-0001", False)
    assert desk.only.title == down().title


def test_a_dead_primary_absorbs_the_lag_of_its_replicas() -> None:
    desk = Desk()
    desk.report(down())
    desk.report(lag("simpeg-replica"))
    desk.report(lag("simpeg-replica-2"))
    assert [trouble.root for trouble in desk.only.troubles] == [True, False, False]


def test_a_dead_primary_that_shows_after_the_lag_becomes_the_root() -> None:
    desk = Desk()
    desk.report(lag(when=NOW))
    placed = desk.report(down(when=NOW + 5 * MINUTE))
    assert placed.root
    assert desk.only.title == down().title
    assert desk.only.target == "simpeg-primary"
    assert [trouble.root for trouble in desk.only.troubles] == [False, True]


def test_a_dead_replica_does_not_explain_another_replicas_lag() -> None:
    desk = Desk()
    desk.report(down("simpeg-replica-2", role="replica"))
    assert desk.report(lag("simpeg-replica")).number == ""
    assert len(desk.incidents) == 2


def test_two_dead_servers_of_different_clusters_are_two_incidents() -> None:
    desk = Desk()
    desk.report(down())
    other = finding("sipd-primary", "up", cluster="sipd", role="primary")
    assert desk.report(other).number == ""
    assert desk.report(lag("sipd-replica", cluster="sipd")).number == "GDB-2026-0002"
    assert len(desk.incidents) == 2


def test_servers_without_a_cluster_have_none_in_common() -> None:
    desk = Desk()
    desk.report(finding("one", "up", cluster="", role="primary"))
    assert desk.report(lag("two", cluster="")).number == ""


def test_a_full_volume_absorbs_the_server_that_died_of_it() -> None:
    desk = Desk()
    desk.report(full())
    assert desk.report(down()).number == "GDB-2026-0001"
    assert desk.report(lag()).number == "GDB-2026-0001"
    assert desk.only.family == "volume"


def test_a_full_volume_seen_after_the_server_died_becomes_the_root() -> None:
    desk = Desk()
    desk.report(down())
    assert desk.report(full()).root
    assert desk.only.family == "volume"


def test_a_volume_that_is_only_filling_up_explains_no_dead_server() -> None:
    desk = Desk()
    desk.report(down())
    filling = finding(
        measure="volume_room_ratio", subject="/srv", family="volume", severity=Severity.WARNING
    )
    assert not desk.report(filling).root


def test_a_forecast_explains_no_dead_server() -> None:
    desk = Desk()
    desk.report(finding(measure="volume_full_in_seconds", subject="/srv", family="volume"))
    desk.report(down())
    assert [each.family for each in desk.incidents.values()] == ["volume", "availability"]


def test_one_volume_under_two_servers_is_one_fault_and_two_volumes_are_two() -> None:
    desk = Desk()
    desk.report(full("a", "/srv", host="db01", cluster=""))
    assert desk.report(full("b", "/srv", host="db01", cluster="")).number == "GDB-2026-0001"
    assert desk.report(full("c", "/srv", host="db02", cluster="")).number == ""
    assert desk.report(full("a", "/backup", host="db01", cluster="")).number == ""


def test_a_root_blocker_absorbs_its_pile_up_down_to_the_last_connection() -> None:
    desk = Desk()
    desk.report(blocked())
    assert desk.report(blocked(measure="blocked_sessions")).number == "GDB-2026-0001"
    exhausted = finding(measure="fresh_login_ok", role="primary")
    assert desk.report(exhausted).number == "GDB-2026-0001"
    assert desk.only.family == "locks"


def test_a_server_that_dies_under_blocked_sessions_is_the_root_of_them() -> None:
    desk = Desk()
    desk.report(blocked())
    assert desk.report(down()).root


def test_both_sides_of_one_replication_are_one_fault() -> None:
    desk = Desk()
    desk.report(lag())
    seen_from_primary = finding(
        "simpeg-primary", "standby_lag_bytes", "replica1", family="replication", role="primary"
    )
    assert desk.report(seen_from_primary).number == "GDB-2026-0001"


def behind(target: str, role: str, subject: str, when: datetime = NOW) -> Finding:
    return finding(
        target, "replication_lag_seconds", subject, family="replication", role=role, when=when
    )


@pytest.mark.parametrize("primary_is_first", [True, False])
def test_a_replicas_own_word_about_its_lag_is_the_cause_whoever_speaks_first(
    primary_is_first: bool,
) -> None:
    own = behind("simpeg-replica", "replica", "simpeg-replica", NOW + MINUTE)
    of_it = behind("simpeg-primary", "primary", "replica1", NOW + MINUTE)
    desk = Desk()
    for told in (of_it, own) if primary_is_first else (own, of_it):
        desk.report(told)
    assert (desk.only.target, desk.only.title) == ("simpeg-replica", own.title)
    assert {each.target for each in desk.only.troubles if each.root} == {"simpeg-replica"}


def test_a_lagging_replica_is_not_the_cause_of_a_standby_that_left_its_primary() -> None:
    desk = Desk()
    desk.report(
        finding("simpeg-primary", "standby_connected", "x", family="replication", role="primary")
    )
    desk.report(behind("simpeg-replica", "replica", "simpeg-replica"))
    assert desk.only.target == "simpeg-primary"


def test_two_replicas_that_stall_on_their_own_are_two_faults() -> None:
    desk = Desk()
    desk.report(lag("simpeg-replica"))
    assert desk.report(lag("simpeg-replica-2")).number == ""


def test_a_cause_that_went_away_explains_the_catching_up_and_not_next_day() -> None:
    desk = Desk()
    desk.report(down())
    gone = finding(severity=Severity.CLEAR, when=NOW + MINUTE, role="primary")
    desk.report(gone)
    catching_up = replace(
        lag(when=NOW + 10 * MINUTE), measure="replication_lag_seconds", since=NOW + 9 * MINUTE
    )
    assert desk.report(catching_up).number == "GDB-2026-0001"
    late = lag("simpeg-replica-2", when=NOW + timedelta(hours=20))
    assert desk.report(late).number == ""


def test_a_dead_server_does_not_explain_its_host_nor_its_settings() -> None:
    desk = Desk()
    desk.report(down())
    for family in ("restart", "volume", "host", "clock", "backup", "durability"):
        warning = finding(measure=f"m_{family}", family=family, severity=Severity.WARNING)
        assert desk.report(warning).number == "", family


def test_trouble_far_older_than_the_cause_is_no_effect_of_it() -> None:
    desk = Desk()
    desk.report(down())
    older = replace(blocked(), severity=Severity.WARNING, since=NOW - timedelta(hours=2))
    assert desk.report(older).number == ""


def test_a_volume_that_fills_after_its_server_came_back_is_the_next_fault() -> None:
    desk = Desk()
    desk.report(down())
    desk.report(finding(severity=Severity.CLEAR, when=NOW + MINUTE, role="primary"))
    later = replace(full(), at=NOW + 2 * MINUTE, since=NOW + 2 * MINUTE)
    assert desk.report(later).number == ""


def test_what_began_during_the_outage_belongs_to_it_even_when_seen_after() -> None:
    desk = Desk()
    desk.report(down())
    desk.report(finding(severity=Severity.CLEAR, when=NOW + MINUTE, role="primary"))
    waiting = replace(blocked(), at=NOW + 2 * MINUTE, since=NOW + MINUTE / 2)
    assert desk.report(waiting).number == "GDB-2026-0001"


def test_an_effect_far_older_than_the_cause_stays_its_own_incident() -> None:
    desk = Desk()
    desk.report(lag(when=NOW))
    assert desk.report(down(when=NOW + timedelta(hours=3))).number == ""
    assert len(desk.incidents) == 2


def test_a_clear_finding_joins_nothing_new() -> None:
    desk = Desk()
    desk.report(down())
    clear = finding(measure="lag", family="replication", severity=Severity.CLEAR)
    assert desk.report(clear) == Match()


def test_the_timeline_learns_why_a_symptom_joined() -> None:
    desk = Desk()
    desk.report(down())
    placed = desk.report(lag())
    assert placed.rule == "primary_down"
    assert placed.because.id and placed.because.en


FINDINGS = st.builds(
    finding,
    target=st.sampled_from(["a1", "a2", "b1", "b2"]),
    measure=st.sampled_from(["up", "fresh_login_ok", "x"]),
    subject=st.sampled_from(["", "s"]),
    family=st.sampled_from(["availability", "replication", "locks", "volume", "blind", "role"]),
    severity=st.sampled_from(Severity),
    when=st.integers(0, 600).map(lambda minutes: NOW + minutes * MINUTE),
    role=st.sampled_from(["", "primary", "replica"]),
)


def reported(found: list[Finding]) -> Desk:
    """A desk that received these in the order of their time, each target in a separate cluster."""
    desk = Desk()
    for each in sorted(found, key=lambda each: each.at):
        about = {"cluster": each.target[0], "role": each.about["role"]}
        desk.report(replace(each, about=about))
    return desk


BEGINS, SOON = NOW, NOW + MINUTE


@given(st.lists(FINDINGS, max_size=25))
@example(
    # a symptom clears and comes back in another family, which its old cause does not explain
    [
        finding("a1", "up", when=BEGINS, role=""),
        finding("a2", "up", "s", severity=Severity.CLEAR, when=SOON, role=""),
        finding("a2", "up", "s", severity=Severity.WARNING, when=SOON, role=""),
        finding("a2", "up", "s", "replication", Severity.WARNING, BEGINS, role=""),
    ]
)
@example(
    # the same with nothing changed but the time: the cause has been over for long
    [
        finding("a1", "up", when=BEGINS, role="primary"),
        finding("a2", "x", "s", "replication", Severity.WARNING, BEGINS, role="replica"),
        finding("a1", "up", severity=Severity.CLEAR, when=SOON, role="primary"),
        finding("a2", "x", "s", "replication", Severity.CLEAR, SOON, role="replica"),
        finding("a2", "x", "s", "replication", when=NOW + timedelta(hours=9), role="replica"),
    ]
)
def test_no_incident_ever_holds_two_clusters_and_no_trouble_stands_in_two_incidents(
    found: list[Finding],
) -> None:
    """A symptom that cleared stays on record where it was; its return is another fault's."""
    standing: list[str] = []
    for incident in reported(found).incidents.values():
        assert len({trouble.target[0] for trouble in incident.troubles}) == 1
        assert sum(trouble.root for trouble in incident.troubles) == 1
        standing += [each.fingerprint for each in incident.troubles if each.severity]
    assert len(standing) == len(set(standing))


@given(st.lists(FINDINGS, min_size=1, max_size=12), FINDINGS)
def test_the_place_does_not_depend_on_the_order_the_store_returns(
    found: list[Finding], last: Finding
) -> None:
    desk = Desk()
    for each in sorted(found, key=lambda each: each.at):
        desk.report(each)
    there = list(desk.incidents.values())
    assert match(last, there) == match(last, reversed(there))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("early_minutes: 1\nlead_minutes: x\nrules: []", "expected a number"),
        ("rules: []", "lead_minutes: is missing"),
        (
            "early_minutes: 1\nlead_minutes: 1\n"
            "rules: [{name: a, cause: {family: b, severity: red}, effects: [], scope: moon, "
            "because: {id: a, en: b}}]",
            "expected one of: target",
        ),
    ],
)
def test_a_mistake_in_the_table_is_named(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "table.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ValueError, match=said):
        causes.load(path)


@pytest.mark.parametrize("first", ["replica", "primary"])
def test_a_dead_replica_explains_what_its_primary_misses(first: str) -> None:
    desk = Desk()
    dead = on("b", "availability", "up", role="replica")
    missed = on("a", "replication", "standby_connected", subject="b", role="primary")
    for found in (dead, missed) if first == "replica" else (missed, dead):
        desk.report(found)
    assert desk.only.target == "b"


def test_two_primaries_are_one_incident_of_the_cluster_with_its_servers_as_symptoms() -> None:
    desk = Desk()
    desk.report(on("b", "role", "role_changed", role="replica"))
    both = on("simpeg", "role", "cluster_surplus_primaries")
    desk.report(both)
    desk.report(on("a", "replication", "learned_standby_missing_seconds", role="primary"))
    assert desk.only.title == both.title
    assert [each.target for each in desk.only.troubles if not each.root] == ["b", "a"]


def test_a_full_volume_is_the_cause_of_failed_archiving() -> None:
    desk = Desk()
    desk.report(on("a", "archiving", "archive_failing_seconds"))
    full = on("a", "volume", "volume_room_ratio", subject="/srv")
    desk.report(full)
    assert len(desk.incidents) == 1


def test_one_host_out_of_memory_is_one_incident_for_all_its_servers() -> None:
    desk = Desk()
    desk.report(on("a", "availability", "up", cluster="", host="db01"))
    killed = on("a", "host", "host_oom_kills", cluster="", host="db01")
    desk.report(killed)
    desk.report(on("z", "host", "host_oom_kills", cluster="", host="db01"))
    desk.report(on("z", "availability", "up", cluster="", host="db01"))
    assert desk.only.title == killed.title
    desk.report(on("y", "host", "host_oom_kills", cluster=""))
    assert len(desk.incidents) == 2


def test_commits_that_wait_for_a_standby_are_not_a_pile_up_of_their_own() -> None:
    desk = Desk()
    desk.report(on("a", "locks", "blocked_sessions"))
    missing = on("a", "replication", "synchronous_standbys_missing")
    desk.report(missing)
    desk.report(on("a", "availability", "canary_ok"))
    assert desk.only.title == missing.title


def test_a_crash_explains_that_the_server_was_started_again() -> None:
    desk = Desk()
    desk.report(
        finding(measure="since_restart_seconds", family="restart", severity=Severity.WARNING)
    )
    desk.report(finding(measure="crash_recovered", when=NOW + MINUTE))
    assert desk.only.title.en == "trouble with crash_recovered of simpeg-primary"
