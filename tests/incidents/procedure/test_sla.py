"""Time standards: what is due when, what is late, and how much time is left."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from incidents.calendar import load as calendar
from incidents.calendar.load import Calendar
from incidents.ledger import payloads
from incidents.model import Decision, EventKind
from incidents.procedure import sla
from incidents.procedure.sla import ClockState, SlaClocks
from incidents.workflow.actions import Claim
from probes import Severity
from tests.incidents.builders import CALENDAR, PROCEDURE, STAFF, Case, at, finding, is_working

HOUR = 3600.0
MONDAY = at("2026-07-06 07:30")


def clocks(case: Case, now: datetime, cal: Calendar = CALENDAR) -> SlaClocks:
    return sla.clocks(case.incident, PROCEDURE, cal, now)


def limits(step4_days: float) -> float:
    fixed = sum(s.standard.seconds(27000) for s in PROCEDURE.steps if s.number != 4)
    return fixed + step4_days * 27000


def at_its_limit(case: Case, cal: Calendar = CALENDAR, step4: float = 2.0) -> None:
    """Sign the waiting step at the last moment of its standard (step 4: of so many days)."""
    visit = case.incident.visits[-1]
    seconds = PROCEDURE.step(visit.step).standard.seconds(cal.day_seconds)
    if visit.step == 4:
        seconds = step4 * cal.day_seconds
    assert case.sign(cal.add(visit.entered_at, seconds)) is None


def to_its_end(opened_at: datetime, cal: Calendar = CALENDAR, step4: float = 2.0) -> Case:
    case = Case(opened_at)
    while case.incident.open:
        at_its_limit(case, cal, step4)
    return case


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (limits(0), 5.25 * HOUR),
        (limits(1), 12.75 * HOUR),
        (limits(2), 20.25 * HOUR),
        (PROCEDURE.overall.seconds(27000), 22.5 * HOUR),
        (PROCEDURE.overall.seconds(27000) - limits(1), 9.75 * HOUR),
        (PROCEDURE.overall.seconds(27000) - limits(2), 2.25 * HOUR),
        (sla.loop_seconds(PROCEDURE, 7, 27000), 2.25 * HOUR),
        (limits(2) + sla.loop_seconds(PROCEDURE, 7, 27000), 22.5 * HOUR),
        (sla.loop_seconds(PROCEDURE, 8, 27000), 1.25 * HOUR),
    ],
)
def test_the_figures_of_the_sop_add_up(seconds: float, said: float) -> None:
    assert seconds == said


def test_a_fresh_incident_has_room_for_one_loop_of_either_kind() -> None:
    state = clocks(Case(MONDAY), MONDAY)
    assert state.room_seconds == 2.25 * HOUR
    assert state.loops_affordable == {7: 1, 8: 1}


def test_a_repair_within_one_day_leaves_room_for_four_loops() -> None:
    case = Case(MONDAY)
    while case.incident.step != 5:
        at_its_limit(case, step4=1.0)
    state = clocks(case, case.incident.visits[-1].entered_at)
    assert state.room_seconds == 9.75 * HOUR
    assert state.loops_affordable == {7: 4, 8: 7}


def test_a_step_in_time_keeps_the_room_and_an_overrun_eats_it() -> None:
    case = Case(MONDAY)
    assert clocks(case, MONDAY + timedelta(minutes=30)).room_seconds == 2.25 * HOUR
    assert clocks(case, MONDAY + timedelta(minutes=90)).room_seconds == 1.25 * HOUR
    state = clocks(case, at("2026-07-06 12:00"))
    assert state.room_seconds == -1.75 * HOUR
    assert state.loops_affordable == {7: 0, 8: 0}


def test_one_return_at_seven_with_a_two_day_repair_uses_the_room_up_exactly() -> None:
    case = Case(MONDAY)
    while case.incident.step != 7:
        at_its_limit(case)
    visit = case.incident.visits[-1]
    when = CALENDAR.add(visit.entered_at, HOUR)
    assert case.sign(when, Decision.RETURN) is None
    assert clocks(case, when).room_seconds == 0
    while case.incident.open:
        at_its_limit(case)
    assert case.incident.closed_at is not None
    state = clocks(case, case.incident.closed_at)
    assert state.overall.used_seconds == 22.5 * HOUR
    assert state.overall.state is ClockState.MET
    assert all(clock.state is ClockState.MET for clock in state.steps)


def test_signing_at_the_very_deadline_is_in_time_and_a_microsecond_later_is_not() -> None:
    due = clocks(Case(MONDAY), MONDAY).steps[0].due_at
    for late, state in ((timedelta(), ClockState.MET), (timedelta(microseconds=1), "breached")):
        case = Case(MONDAY)
        case.sign(due + late)
        assert clocks(case, due + timedelta(days=9)).steps[0].state == state


def test_a_limit_that_ends_at_closing_is_met_at_closing() -> None:
    case = Case(at("2026-07-02 15:30"))
    assert clocks(case, at("2026-07-02 15:30")).steps[0].due_at == at("2026-07-02 16:00")
    case.sign(at("2026-07-02 16:00"))
    assert clocks(case, at("2026-07-03 10:00")).steps[0].state is ClockState.MET


def test_what_opens_at_night_starts_at_the_next_opening() -> None:
    case = Case(at("2026-07-03 22:00"))  # a Friday
    clock = clocks(case, at("2026-07-05 10:00")).steps[0]
    assert (clock.entered_at, clock.starts_at) == (at("2026-07-03 22:00"), at("2026-07-06 07:30"))
    assert (clock.used_seconds, clock.due_at) == (0, at("2026-07-06 08:00"))


def test_work_signed_wholly_outside_hours_costs_nothing_and_is_flagged() -> None:
    case = Case(at("2026-07-02 20:00"))
    case.sign(at("2026-07-02 21:00"))
    clock = clocks(case, at("2026-07-03 08:00")).steps[0]
    assert (clock.used_seconds, clock.wall_seconds) == (0, HOUR)
    assert (clock.state, clock.outside_hours) == (ClockState.MET, True)


def test_work_inside_hours_is_not_flagged() -> None:
    case = Case(MONDAY)
    case.sign(MONDAY + timedelta(minutes=5))
    assert not clocks(case, MONDAY).steps[0].outside_hours


def test_a_claim_moves_no_clock() -> None:
    case = Case(MONDAY)
    before = clocks(case, MONDAY + timedelta(minutes=20)).steps
    assert case.act(Claim(1), STAFF["PP"], MONDAY + timedelta(minutes=20)) is None
    assert clocks(case, MONDAY + timedelta(minutes=20)).steps == before


def test_the_repair_above_its_target_is_no_breach_until_its_limit() -> None:
    case = Case(MONDAY).to(4, MONDAY)
    one_day, two_days = CALENDAR.add(MONDAY, 7.5 * HOUR), CALENDAR.add(MONDAY, 15 * HOUR)
    seen = []
    for moment in (
        one_day,
        one_day + timedelta(minutes=1),
        two_days,
        two_days + timedelta(hours=1),
    ):
        clock = clocks(case, moment).steps[-1]
        seen.append((clock.above_target, clock.state))
    assert seen == [
        (False, ClockState.RUNNING),
        (True, ClockState.RUNNING),
        (True, ClockState.RUNNING),
        (True, ClockState.BREACHED),
    ]


def test_each_visit_of_a_loop_has_its_full_standard_and_the_whole_never_restarts() -> None:
    case = Case(MONDAY).to(7, MONDAY)
    later = MONDAY + timedelta(minutes=45)
    assert case.sign(later, Decision.RETURN) is None
    state = clocks(case, later)
    assert state.current is not None
    assert (state.current.step, state.current.attempt) == (5, 2)
    assert state.current.due_at == later + timedelta(minutes=15)
    assert (state.overall.entered_at, state.overall.used_seconds) == (MONDAY, 45 * 60)


def test_a_step_starts_with_the_sign_off_before_it() -> None:
    case = Case(MONDAY)
    case.sign(MONDAY + timedelta(minutes=3))
    state = clocks(case, MONDAY + timedelta(minutes=10))
    assert state.steps[1].entered_at == MONDAY + timedelta(minutes=3)
    assert state.steps[1].used_seconds == 7 * 60


def test_the_day_count_date_stands_beside_the_binding_one() -> None:
    state = clocks(Case(at("2026-07-02 16:30")), at("2026-07-02 16:30"))
    assert state.day_count_due == at("2026-07-07 16:00")
    assert state.overall.due_at == at("2026-07-08 09:30")


def test_a_deadline_in_an_unpublished_year_is_provisional() -> None:
    case = Case(at("2027-12-30 15:00"))
    state = clocks(case, at("2027-12-30 15:00"))
    assert not state.steps[0].provisional
    assert state.overall.provisional


def test_a_holiday_added_later_moves_the_deadline_and_a_withdrawn_one_brings_it_back() -> None:
    case = Case(at("2026-07-02 15:00")).to(2, at("2026-07-02 15:30"))
    head = "extends: kaltim\nname: office\n"
    added = calendar.parse(
        head + "add: [{day: 2026-07-03, name: {id: HUT, en: Anniversary}}]\n", "x"
    )
    back = calendar.parse(added.content.replace("2026-07-03", "2026-07-04"), "x")
    now = at("2026-07-02 15:45")
    assert clocks(case, now).steps[1].due_at == at("2026-07-03 08:00")
    assert clocks(case, now, added).steps[1].due_at == at("2026-07-06 08:00")
    assert clocks(case, now, back).steps[1].due_at == at("2026-07-03 08:00")


def test_ramadan_beginning_in_the_middle_lengthens_the_wait() -> None:
    case = Case(at("2026-02-18 15:00"))
    clock = clocks(case, at("2026-02-18 15:00")).overall
    # 1 h, then 7 h on Thursday, 3 h on Friday, 7 h on Monday, and 4.5 h on Tuesday from 08.00
    assert clock.due_at == at("2026-02-24 13:00")


def test_downtime_is_wall_time_of_the_root_and_leaves_out_its_green_spells() -> None:
    case = Case(MONDAY)
    for minutes, severity in ((10, Severity.CLEAR), (15, Severity.CRITICAL), (25, Severity.CLEAR)):
        moment = MONDAY + timedelta(minutes=minutes)
        seen = finding(severity=severity, when=moment)
        if severity is Severity.CLEAR:
            case.write(EventKind.CLEARED, moment, "sigap", payloads.cleared(seen))
        else:
            case.write(EventKind.OBSERVED, moment, "sigap", payloads.observed(seen))
    assert clocks(case, at("2026-07-08 09:00")).downtime_seconds == 20 * 60
    assert clocks(case, at("2026-07-06 09:30")).overall.wall_seconds == 2 * HOUR


def record(case: Case, now: datetime) -> list[tuple[str, int, int, datetime]]:
    """What the sweep does; returns what it wrote."""
    wrote = []
    for due in sla.pending(case.incident, PROCEDURE, CALENDAR, now):
        build = payloads.reminded if due.kind is EventKind.REMINDED else payloads.breached
        case.write(due.kind, now, "sigap", build(due.step, due.attempt, due.deadline))
        wrote.append((str(due.kind), due.step, due.attempt, due.deadline))
    return wrote


def test_a_reminder_comes_at_75_percent_of_working_time_and_once() -> None:
    case = Case(at("2026-07-02 15:45"))
    reminder = at("2026-07-03 07:37") + timedelta(seconds=30)
    assert sla.next_wake(case.incident, PROCEDURE, CALENDAR, at("2026-07-02 15:45")) == reminder
    assert record(case, reminder - timedelta(seconds=1)) == []
    assert record(case, reminder) == [("reminded", 1, 1, reminder)]
    assert record(case, reminder) == []
    assert case.incident.visits[0].reminded_at == reminder


def test_a_breach_is_stamped_with_its_deadline_and_not_the_noticing() -> None:
    case = Case(MONDAY)
    due = at("2026-07-06 08:00")
    assert record(case, due) == [("reminded", 1, 1, MONDAY + timedelta(minutes=22.5))]
    assert record(case, due + timedelta(hours=3)) == [("breached", 1, 1, due)]
    assert case.incident.visits[0].breached_at == due
    assert record(case, due + timedelta(hours=4)) == []


def test_a_late_signature_is_a_breach_even_when_nobody_swept_in_between() -> None:
    case = Case(MONDAY)
    case.sign(MONDAY + timedelta(hours=1))
    breaches = [row for row in record(case, MONDAY + timedelta(hours=1)) if row[0] == "breached"]
    assert breaches == [("breached", 1, 1, MONDAY + timedelta(minutes=30))]


def test_a_signed_step_is_not_reminded_any_more() -> None:
    case = Case(MONDAY)
    case.sign(MONDAY + timedelta(minutes=29))
    assert record(case, MONDAY + timedelta(minutes=29)) == []


def test_a_late_whole_is_told_also_after_the_end() -> None:
    case = Case(MONDAY).to(9, MONDAY)
    case.sign(at("2026-08-03 09:00"))
    wrote = record(case, at("2026-08-03 09:00"))
    assert [(kind, step) for kind, step, _, _ in wrote] == [("breached", 9), ("breached", 0)]
    assert case.incident.overall_breached_at == CALENDAR.add(MONDAY, 22.5 * HOUR)
    assert sla.next_wake(case.incident, PROCEDURE, CALENDAR, at("2026-08-03 09:00")) is None


def test_no_reminder_ever_falls_outside_working_time() -> None:
    for hour in range(24 * 7):
        case = Case(at("2026-07-06 00:10") + timedelta(hours=hour))
        clock = clocks(case, case.incident.opened_at).steps[0]
        just_before = clock.remind_at - timedelta(microseconds=1)
        assert is_working(CALENDAR, just_before)


OPENINGS = st.integers(0, 364 * 24 * 60).map(
    lambda minutes: at("2026-01-05 00:00") + timedelta(minutes=minutes)
)
ACTIONS = st.lists(
    st.tuples(st.integers(0, 4000), st.sampled_from(["approve", "return", "sweep"])), max_size=14
)


@settings(max_examples=60)
@given(OPENINGS, ACTIONS)
def test_what_is_written_does_not_depend_on_when_the_sweep_ran(
    opened_at: datetime, actions: list[tuple[int, str]]
) -> None:
    """Breaches written by a sweep after every action, or once at the very end, are the same."""
    often, once, now = Case(opened_at), Case(opened_at), opened_at
    for minutes, what in actions:
        now += timedelta(minutes=minutes)
        record(often, now)
        decision = Decision.RETURN if what == "return" else Decision.APPROVE
        if what != "sweep" and often.incident.open:
            assert (often.sign(now, decision) is None) == (once.sign(now, decision) is None)
    record(often, now)
    record(once, now)

    def breaches(case: Case) -> list[object]:
        visits = [(v.step, v.attempt, v.breached_at) for v in case.incident.visits]
        return [*visits, case.incident.overall_breached_at]

    assert breaches(often) == breaches(once)


@settings(max_examples=60)
@given(OPENINGS, ACTIONS)
def test_the_next_wake_is_when_something_is_pending_and_never_later(
    opened_at: datetime, actions: list[tuple[int, str]]
) -> None:
    case, now = Case(opened_at), opened_at
    for minutes, what in actions:
        wake = sla.next_wake(case.incident, PROCEDURE, CALENDAR, now)
        now += timedelta(minutes=minutes)
        due = sla.pending(case.incident, PROCEDURE, CALENDAR, now)
        assert bool(due) == (wake is not None and wake <= now)
        record(case, now)
        assert sla.pending(case.incident, PROCEDURE, CALENDAR, now) == ()
        if what != "sweep" and case.incident.open:
            case.sign(now, Decision.RETURN if what == "return" else Decision.APPROVE)


WITH_BREAK = calendar.parse(
    "extends: kaltim\nname: b\nmidday_break: {mon-thu: 12:00-13:00}\n", "with a break"
)


@settings(max_examples=150)
@given(OPENINGS, st.sampled_from([CALENDAR, WITH_BREAK]))
def test_every_step_in_time_means_the_whole_in_time(opened_at: datetime, cal: Calendar) -> None:
    case = to_its_end(opened_at, cal)
    assert case.incident.closed_at is not None
    state = clocks(case, case.incident.closed_at, cal)
    assert [clock.state for clock in state.steps] == [ClockState.MET] * 9
    assert state.overall.state is ClockState.MET
    assert state.overall.used_seconds == pytest.approx(20.25 * HOUR, abs=1e-3)


def share_late(cal: Calendar, by_days: bool) -> float:
    """Share of starts (5-minute grid of 240 working days of 2026) whose 20.25 h pass the whole
    limit: the end of the third day after, or 22.5 h."""
    starts = late = 0
    moment, end = at("2026-01-05 00:00"), at("2027-01-01 00:00")
    while moment < end:
        if not is_working(cal, moment):
            moment = cal.next_opening(moment)
            continue
        done = cal.add(moment, 20.25 * HOUR)
        limit = cal.end_of_working_day(moment, 3) if by_days else cal.add(moment, 22.5 * HOUR)
        starts += 1
        late += done > limit
        moment += timedelta(minutes=5)
    return round(100 * late / starts, 1)


def test_only_fifteen_hours_of_twenty_two_and_a_half_never_contradict_themselves() -> None:
    """The SOP's standards on every start of a year without Ramadan's shorter days."""
    plain = without_ramadan(CALENDAR)
    with_break = without_ramadan(WITH_BREAK)
    assert share_late(plain, by_days=False) == 0
    assert share_late(with_break, by_days=False) == 0
    assert share_late(plain, by_days=True) == 0
    assert share_late(with_break, by_days=True) == pytest.approx(14.0, abs=0.5)


def without_ramadan(cal: Calendar) -> Calendar:
    rules = tuple(rule for rule in cal.rules if rule.first != date(2026, 2, 19))
    return replace(cal, rules=rules)


@given(OPENINGS, st.integers(0, 20000), st.integers(0, 20000))
@settings(max_examples=50)
def test_asking_later_never_gives_time_back(opened_at: datetime, a: int, b: int) -> None:
    case = Case(opened_at)
    moments = sorted(opened_at + timedelta(minutes=m) for m in (a, b))
    for before, after in pairwise(clocks(case, moment) for moment in moments):
        assert after.overall.used_seconds >= before.overall.used_seconds
        assert after.room_seconds <= before.room_seconds
        assert after.overall.due_at == before.overall.due_at
