"""The judge: streaks, hysteresis, missing values and blind probes."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from probes import (
    Address,
    Failure,
    FailureKind,
    Finding,
    Fingerprint,
    Limits,
    Measure,
    Measurement,
    Probe,
    ProbeError,
    Reading,
    Severity,
    Target,
    Threshold,
    Tuning,
)
from probes.judge import Judge, Recalled
from tests.support.words import both

START = datetime(2026, 11, 23, 1, 0, tzinfo=UTC)
TARGET = Target("simpeg-replica", "postgresql", Address("127.0.0.1", 5432, "sigap"))


def lag_probe(**limits: object) -> Probe:
    threshold = Threshold(
        "lag_seconds",
        both(
            "{target} tertinggal {value} dari {upstream}", "{target} is {value} behind {upstream}"
        ),
        both("Periksa {upstream}.", "Look at {upstream}."),
        family="replication",
        warning=30,
        critical=300,
        **limits,  # type: ignore[arg-type]  # the tests vary any of the declared fields
    )
    return Probe(
        "lag",
        "postgresql",
        both("Tertinggal berapa?", "How far behind?"),
        (Measure("lag_seconds", "seconds", "Seconds behind."),),
        (threshold,),
        read=lambda session: (),
    )


UP_PROBE = Probe(
    "availability",
    "postgresql",
    both("Hidup?", "Up?"),
    (Measure("up", "", "1 when usable."),),
    (
        Threshold(
            "up",
            both("{target} {reason}: {message}", "{target} {reason}: {message}"),
            both("Lihat server.", "Look at the server."),
            family="availability",
            critical=0,
            above=False,
            raise_after=2,
        ),
    ),
    read=lambda session: (),
    judged_on_failure="up",
)


def reading(minute: int, *values: float, subject: str = "", probe: str = "lag") -> Reading:
    measured = tuple(
        Measurement("lag_seconds", value, subject, {"upstream": "simpeg-primary"})
        for value in values
    )
    return Reading("simpeg-replica", probe, START + timedelta(minutes=minute), 0.01, measured)


def failed(minute: int, kind: FailureKind, probe: str = "lag") -> Reading:
    return Reading(
        "simpeg-replica",
        probe,
        START + timedelta(minutes=minute),
        5.0,
        failure=Failure(kind, "no answer", both("Coba ini.", "Try this.")),
    )


def verdict(judge: Judge, probe: Probe, seen: Reading, measure: str = "lag_seconds") -> Finding:
    found = [f for f in judge.assess(TARGET, probe, seen).findings if f.measure == measure]
    assert len(found) == 1
    return found[0]


def test_the_same_verdict_is_stated_at_every_reading() -> None:
    judge, probe = Judge(), lag_probe()
    first = verdict(judge, probe, reading(0, 412))
    second = verdict(judge, probe, reading(1, 415))
    assert first.severity is second.severity is Severity.CRITICAL
    assert first.fingerprint == second.fingerprint
    assert str(first.fingerprint) == "simpeg-replica/lag/lag_seconds/"
    assert second.since == START


def test_a_finding_says_its_value_and_cause_in_both_languages() -> None:
    finding = verdict(Judge(), lag_probe(), reading(0, 412))
    assert finding.title == both(
        "simpeg-replica tertinggal 6 menit 52 detik dari simpeg-primary",
        "simpeg-replica is 6 min 52 s behind simpeg-primary",
    )
    assert finding.hint.en == "Look at simpeg-primary."
    assert finding.limit == 300
    assert finding.opens


def test_one_of_something_is_not_said_in_the_plural() -> None:
    asked = lag_probe()
    counting = both(
        "{n} sesi menunggu; {gone}.", "{n} {n:session waits|sessions wait}; {gone:is|are} gone."
    )
    probe = replace(asked, thresholds=(replace(asked.thresholds[0], title=counting),))
    said = []
    for number in ("1", 1, "2", both("seribu", "1,000")):
        measured = Measurement("lag_seconds", 412.0, detail={"n": number})
        seen = replace(reading(0), measurements=(measured,))
        said.append(verdict(Judge(), probe, seen).title)
    assert [each.en for each in said] == [
        "1 session waits; are gone.",
        "1 session waits; are gone.",
        "2 sessions wait; are gone.",
        "1,000 sessions wait; are gone.",
    ]
    assert said[3].id == "seribu sesi menunggu; ."


def test_a_cleared_finding_still_says_what_it_was_about() -> None:
    judge, probe = Judge(), lag_probe(clear_after=1)
    verdict(judge, probe, reading(0, 412))
    cleared = verdict(judge, probe, reading(1, 0))
    assert cleared.severity is Severity.CLEAR
    assert cleared.value == 0
    assert cleared.title.en == "simpeg-replica is 6 min 52 s behind simpeg-primary"


def test_a_warning_is_shown_but_opens_nothing_unless_told_to() -> None:
    assert not verdict(Judge(), lag_probe(), reading(0, 31)).opens
    assert verdict(Judge(), lag_probe(opens=Severity.WARNING), reading(0, 31)).opens


def test_it_raises_after_its_streak_and_clears_after_another() -> None:
    judge, probe = Judge(), lag_probe(raise_after=3, clear_after=2)
    seen = [
        verdict(judge, probe, reading(n, value)).severity
        for n, value in enumerate([400, 400, 0, 400, 400, 400, 0, 400, 0, 0])
    ]
    assert seen == [Severity.CLEAR] * 5 + [Severity.CRITICAL] * 4 + [Severity.CLEAR]


def test_the_onset_is_the_first_bad_reading_not_the_raised_one() -> None:
    judge, probe = Judge(), lag_probe(raise_after=2)
    onsets = [
        bool(judge.assess(TARGET, probe, reading(n, v)).onsets) for n, v in enumerate([0, 400, 400])
    ]
    assert onsets == [False, True, False]


def test_a_value_that_wavers_within_the_margin_does_not_flap() -> None:
    judge, probe = Judge(), lag_probe(clear_after=1, clear_margin=0.1)
    seen = [
        verdict(judge, probe, reading(n, value)).severity
        for n, value in enumerate([300, 295, 305, 280, 269])
    ]
    assert seen == [Severity.CRITICAL] * 4 + [Severity.WARNING]


def test_a_targets_own_limits_replace_the_declared_ones() -> None:
    own = Target(
        "simpeg-replica",
        "postgresql",
        Address("127.0.0.1", 5432, "sigap"),
        probes={"lag": Tuning(thresholds={"lag_seconds": Limits(critical=10, raise_after=2)})},
    )
    judge = Judge()
    first, second = (judge.assess(own, lag_probe(), reading(n, 11)).findings[0] for n in (0, 1))
    assert (first.severity, second.severity) == (Severity.CLEAR, Severity.CRITICAL)


def test_a_subject_that_is_gone_counts_as_good() -> None:
    judge, probe = Judge(), lag_probe(clear_after=2)
    verdict(judge, probe, reading(0, 400, subject="r1"))
    assert verdict(judge, probe, reading(1)).severity is Severity.CRITICAL
    assert verdict(judge, probe, reading(2)).severity is Severity.CLEAR


def test_a_subject_declared_to_stay_is_not_cleared_by_its_absence() -> None:
    judge, probe = Judge(), lag_probe(absent_clears=False)
    verdict(judge, probe, reading(0, 400, subject="r1"))
    assert not [f for f in judge.assess(TARGET, probe, reading(1)).findings if f.measure != "blind"]
    assert verdict(judge, probe, reading(2, 400, subject="r1")).since == START


def test_absence_clears_nothing_while_what_tells_it_is_down() -> None:
    judge, probe = Judge(), lag_probe(clear_after=1, unknown_without="up")

    def at(n: int, up: float | None) -> list[Severity]:
        told = () if up is None else (Measurement("up", up),)
        answer = replace(reading(n), measurements=told)
        return [f.severity for f in judge.assess(TARGET, probe, answer).findings][:-1]

    verdict(judge, probe, reading(0, 400))
    assert at(1, 0.0) == []
    assert at(2, 1.0) == [Severity.CLEAR]
    verdict(judge, probe, reading(3, 400))
    assert at(4, None) == [Severity.CLEAR]  # a replica that was promoted has no such measure


def test_an_unreachable_server_says_nothing_about_its_lag() -> None:
    judge, probe = Judge(), lag_probe(clear_after=1)
    verdict(judge, probe, reading(0, 400))
    assert judge.assess(TARGET, probe, failed(1, FailureKind.TIMEOUT)).findings == []
    assert verdict(judge, probe, reading(2, 400)).since == START


def test_a_probe_is_in_doubt_from_its_first_bad_reading_until_it_is_clear() -> None:
    judge, probe = Judge(), lag_probe(raise_after=2, clear_after=2)
    values = [0, 31, 0, 31, 31, 0, 0]
    doubts = [judge.assess(TARGET, probe, reading(n, v)).in_doubt for n, v in enumerate(values)]
    assert doubts == [False, True, False, True, True, True, False]


def test_a_reading_that_failed_leaves_its_probe_in_doubt() -> None:
    for kind in (FailureKind.TIMEOUT, FailureKind.BLIND, FailureKind.BROKEN):
        assert Judge().assess(TARGET, lag_probe(), failed(0, kind)).in_doubt


def test_trouble_from_before_a_start_leaves_its_probe_in_doubt() -> None:
    judge, probe = Judge(), lag_probe(clear_after=2)
    judge.recall(TARGET.name, [Recalled("lag", "lag_seconds", "", Severity.CRITICAL, START)])
    doubts = [judge.assess(TARGET, probe, reading(n, 0)).in_doubt for n in range(2)]
    assert doubts == [True, False]


def test_a_server_that_cannot_be_used_is_judged_by_availability() -> None:
    judge = Judge()
    first = verdict(judge, UP_PROBE, failed(0, FailureKind.TIMEOUT, "availability"), "up")
    second = verdict(judge, UP_PROBE, failed(1, FailureKind.REFUSED, "availability"), "up")
    assert (first.severity, second.severity) == (Severity.CLEAR, Severity.CRITICAL)
    assert second.title.en == "simpeg-replica refuses connections: no answer"
    assert second.hint.en == "Try this."


def test_a_probe_that_has_words_for_why_it_could_not_log_in_is_quoted() -> None:
    judge, said = Judge(), both("tidak menyediakan basis data x", "does not offer the database x")
    for second in (0, 1):
        refused = failed(second, FailureKind.DENIED, "availability")
        assert refused.failure is not None
        told = replace(refused, failure=replace(refused.failure, said=said))
        found = verdict(judge, UP_PROBE, told, "up")
    assert found.title.en == "simpeg-replica does not offer the database x: no answer"


def test_a_missing_grant_is_a_warning_of_its_own_and_not_ok() -> None:
    judge, probe = Judge(), lag_probe()
    blind = verdict(judge, probe, failed(0, FailureKind.BLIND), "blind")
    assert blind.severity is Severity.WARNING
    assert blind.hint.en == "Try this."
    assert verdict(judge, probe, reading(1, 0), "blind").severity is Severity.CLEAR


def test_an_unsupported_probe_is_silent() -> None:
    assert Judge().assess(TARGET, lag_probe(), failed(0, FailureKind.UNSUPPORTED)).findings == []


@given(
    st.lists(st.sampled_from([0.0, 31.0, 400.0]), max_size=60), st.integers(1, 4), st.integers(1, 4)
)
def test_severity_is_critical_only_after_a_full_streak_and_until_a_full_streak_of_good(
    values: list[float], raise_after: int, clear_after: int
) -> None:
    judge = Judge()
    probe = lag_probe(raise_after=raise_after, clear_after=clear_after)
    critical = False
    for n, value in enumerate(values):
        tail = [v >= 300 for v in values[: n + 1]]
        if all(tail[-raise_after:]) and len(tail) >= raise_after:
            critical = True
        elif critical and len(tail) >= clear_after and not any(tail[-clear_after:]):
            critical = False
        assert (verdict(judge, probe, reading(n, value)).severity is Severity.CRITICAL) == critical


def test_after_a_start_what_is_bad_for_too_short_is_undecided_and_no_all_clear() -> None:
    judge, probe = Judge(), lag_probe(raise_after=2)
    name = Fingerprint("simpeg-replica", "lag", "lag_seconds")
    assert judge.assess(TARGET, probe, reading(0, 412)).undecided == {name}
    assert judge.assess(TARGET, probe, reading(1, 412)).undecided == set()


def test_one_good_reading_after_a_start_is_a_verdict() -> None:
    judge, probe = Judge(), lag_probe(raise_after=2)
    judge.assess(TARGET, probe, reading(0, 412))
    assert judge.assess(TARGET, probe, reading(1, 3)).undecided == set()
    assert judge.assess(TARGET, probe, reading(2, 412)).undecided == set()


def recalled(subject: str = "", severity: Severity = Severity.CRITICAL) -> Recalled:
    return Recalled("lag", "lag_seconds", subject, severity, START - timedelta(hours=3))


def test_trouble_recalled_at_a_start_stays_until_it_was_good_for_long_enough() -> None:
    judge, probe = Judge(), lag_probe(raise_after=3, clear_after=2)
    judge.recall("simpeg-replica", [recalled()])
    first = verdict(judge, probe, reading(0, 412))
    assert (first.severity, first.since) == (Severity.CRITICAL, START - timedelta(hours=3))
    assert verdict(judge, probe, reading(1, 3)).severity is Severity.CRITICAL
    assert verdict(judge, probe, reading(2, 3)).severity is Severity.CLEAR


def test_recalled_trouble_of_a_subject_that_is_gone_clears() -> None:
    judge, probe = Judge(), lag_probe(clear_after=2)
    judge.recall("simpeg-replica", [recalled("gone", Severity.WARNING)])
    assert verdict(judge, probe, reading(0)).severity is Severity.WARNING
    cleared = verdict(judge, probe, reading(1))
    assert (cleared.severity, cleared.subject) == (Severity.CLEAR, "gone")


def test_a_blind_probe_says_why_in_both_languages() -> None:
    judge, probe = Judge(), lag_probe()
    foreign = verdict(judge, probe, failed(0, FailureKind.BLIND), "blind")
    assert foreign.title == both(
        "simpeg-replica: lag tidak dapat melihat: hak atau sarananya kurang (no answer)",
        "simpeg-replica: lag cannot see: a right or an instrument is missing (no answer)",
    )
    own = ProbeError(FailureKind.BLIND, both("butuh pg_monitor", "needs pg_monitor")).failure
    said = Reading("simpeg-replica", "lag", START, 0.1, failure=own)
    assert verdict(judge, probe, said, "blind").title == both(
        "simpeg-replica: lag tidak dapat melihat: butuh pg_monitor",
        "simpeg-replica: lag cannot see: needs pg_monitor",
    )


def test_what_has_healed_is_told_with_the_limit_it_stood_by() -> None:
    said = both("{value} (batas {limit})", "{value} (limit {limit})")
    probe = lag_probe()
    probe = replace(probe, thresholds=(replace(probe.thresholds[0], title=said),))
    judge = Judge()

    def last(*values: float) -> Finding:
        for minute, value in enumerate(values):
            found = judge.assess(TARGET, probe, reading(minute, value)).findings[0]
        return found

    assert last(310).title.en == "5 min 10 s (limit 5 min)"
    healed = last(320, 1, 1)
    assert healed.severity is Severity.CLEAR
    assert healed.seen_last.en == "5 min 20 s (limit 5 min)"
    assert last(1).seen_last == healed.seen_last  # and at every reading after it
    stepped_down = last(320, 45, 45)
    assert stepped_down.severity is Severity.WARNING
    assert stepped_down.title.en == "45 s (limit 30 s)"
    assert last(1, 1).seen_last == stepped_down.title


def test_what_is_gone_is_told_with_the_limit_it_stood_by() -> None:
    """A queue for a lock that has ended is no measurement of zero; it is absent."""
    judge = Judge()
    judge.assess(TARGET, lag_probe(), reading(0, 320.0, subject="a"))
    for minute in (1, 2):
        found = judge.assess(TARGET, lag_probe(), reading(minute)).findings[0]
    assert (found.subject, found.severity, found.limit) == ("a", Severity.CLEAR, 300)


@pytest.mark.parametrize("subject", ["", "slot/with/slashes"])
def test_a_fingerprint_is_read_as_it_was_written(subject: str) -> None:
    named = Fingerprint("simpeg", "slots", "slot_active", subject)
    assert str(named) == f"simpeg/slots/slot_active/{subject}"
    assert Fingerprint.parse(str(named)) == named


def test_what_is_no_fingerprint_is_refused() -> None:
    with pytest.raises(ValueError, match="not a fingerprint"):
        Fingerprint.parse("simpeg/slots")
