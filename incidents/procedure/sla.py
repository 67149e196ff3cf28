"""Time standards of an incident, computed from its events and the working calendar.

Nothing is counted up or stored, so the result is the same whenever it is computed. A step's clock
starts at its predecessor's sign-off (or at the opening), never at the claim; each visit has its
full standard; the overall clock never restarts; there is no pause. A sign-off exactly at the
deadline is in time.
Source: SOP section E and the column Waktu of section G.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from incidents.calendar.load import Calendar
from incidents.model import EventKind, Incident, Visit
from incidents.procedure.load import Procedure, Standard, Step


class ClockState(StrEnum):
    """State of one standard. Breached is final, whether or not the step was signed since."""

    RUNNING = "running"
    MET = "met"
    BREACHED = "breached"


@dataclass(frozen=True, slots=True)
class SlaClock:
    """One standard: of a visit to a step, or (step 0) of the whole."""

    step: int
    attempt: int
    state: ClockState
    entered_at: datetime  # the predecessor's sign-off, or the opening
    starts_at: datetime  # from when working time counts: entered_at rolled to an opening
    remind_at: datetime  # 75 % of the limit
    due_at: datetime
    ended_at: datetime | None  # signed, or closed; None while it runs
    standard_seconds: float  # the limit, working
    used_seconds: float  # working, until ended_at or now
    wall_seconds: float  # calendar, until ended_at or now
    above_target: bool  # "di atas target": no breach
    outside_hours: bool  # ended having used no working time at all: not a perfect score
    provisional: bool  # rests on a calendar not yet published: "sementara"

    @property
    def remaining_seconds(self) -> float:
        """Working seconds left; negative once breached."""
        return self.standard_seconds - self.used_seconds


@dataclass(frozen=True, slots=True)
class SlaClocks:
    """All standards of an incident at a moment."""

    steps: tuple[SlaClock, ...]  # one per visit, in order
    overall: SlaClock
    room_seconds: float
    """"Sisa ruang": what is left of the overall limit once the rest runs at its limits."""
    loops_affordable: Mapping[int, int]  # decision step -> how many "Tidak" still fit
    day_count_due: datetime  # "paling lambat akhir hari kerja ke-3"
    downtime_seconds: float | None  # wall time the root was red; None without a probe

    @property
    def current(self) -> SlaClock | None:
        """The clock of the visit that waits; None once closed."""
        last = self.steps[-1]
        return last if last.ended_at is None else None


@dataclass(frozen=True, slots=True)
class Due:
    """A reminder or a breach that is due and not yet written. Step 0 is the whole."""

    kind: EventKind  # REMINDED | BREACHED
    step: int
    attempt: int
    deadline: datetime  # the moment it is stamped with


def clocks(
    incident: Incident, procedure: Procedure, calendar: Calendar, now: datetime
) -> SlaClocks:
    """Every standard of the incident at ``now``."""
    steps = tuple(_step_clock(visit, procedure, calendar, now) for visit in incident.visits)
    overall = _clock(
        (0, 1), incident.opened_at, incident.closed_at, procedure.overall, procedure, calendar, now
    )
    room = overall.remaining_seconds - _still_to_come(incident, steps[-1], procedure, calendar)
    return SlaClocks(
        steps=steps,
        overall=overall,
        room_seconds=room,
        loops_affordable=_loops(procedure, calendar, room),
        day_count_due=calendar.end_of_working_day(
            incident.opened_at, max(1, math.ceil(procedure.overall.days))
        ),
        downtime_seconds=_downtime(incident, now),
    )


def pending(
    incident: Incident, procedure: Procedure, calendar: Calendar, now: datetime
) -> tuple[Due, ...]:
    """What the sweep has to write at ``now``, oldest deadline first.

    A breach is due for every visit that passed its limit, signed since or not, also on a
    closed incident; a reminder only for what still waits and is not late already.
    """
    found = [due for moment, due in _upcoming(incident, procedure, calendar, now) if moment <= now]
    return tuple(sorted(found, key=lambda due: (due.deadline, due.step)))


def next_wake(
    incident: Incident, procedure: Procedure, calendar: Calendar, now: datetime
) -> datetime | None:
    """When ``pending`` next has something new: ``now`` or earlier if it already has; None if
    never without a further event."""
    return min(
        (moment for moment, _ in _upcoming(incident, procedure, calendar, now)), default=None
    )


def loop_seconds(procedure: Procedure, step: int, day_seconds: float) -> float:
    """Working seconds one "Tidak" at ``step`` costs at the limits."""
    return_to = procedure.step(step).return_to
    if return_to is None:
        raise ValueError(f"step {step} cannot be returned")
    again = [each for each in _path(procedure, return_to) if each.number <= step]
    return sum(each.standard.seconds(day_seconds) for each in again)


def _step_clock(visit: Visit, procedure: Procedure, calendar: Calendar, now: datetime) -> SlaClock:
    ended = None if visit.signoff is None else visit.signoff.at
    standard = procedure.step(visit.step).standard
    which = (visit.step, visit.attempt)
    return _clock(which, visit.entered_at, ended, standard, procedure, calendar, now)


def _clock(
    which: tuple[int, int],
    entered: datetime,
    ended: datetime | None,
    standard: Standard,
    procedure: Procedure,
    calendar: Calendar,
    now: datetime,
) -> SlaClock:
    limit = standard.seconds(calendar.day_seconds)
    target = standard.target_seconds(calendar.day_seconds)
    due = calendar.add(entered, limit)
    until = now if ended is None else ended
    until = max(entered, until)  # the host's clock may stand before the ledger's last event
    used = calendar.between(entered, until)
    late = until > due
    told = procedure.informed.step if which[0] else procedure.informed.overall
    running = ClockState.BREACHED if late else ClockState.RUNNING
    return SlaClock(
        step=which[0],
        attempt=which[1],
        state=running if ended is None or late else ClockState.MET,
        entered_at=entered,
        starts_at=calendar.next_opening(entered),
        remind_at=calendar.add(entered, limit * told.share),
        due_at=due,
        ended_at=ended,
        standard_seconds=limit,
        used_seconds=used,
        wall_seconds=(until - entered).total_seconds(),
        above_target=target is not None and used > target,
        outside_hours=ended is not None and ended > entered and used == 0,
        provisional=calendar.provisional(entered, max(due, until)),
    )


def _path(procedure: Procedure, first: int) -> Iterator[Step]:
    """The steps from ``first`` to the end when everything is approved."""
    number: int | None = first
    while number is not None:
        step = procedure.step(number)
        yield step
        number = step.next


def _still_to_come(
    incident: Incident, waiting: SlaClock, procedure: Procedure, calendar: Calendar
) -> float:
    """Working seconds the rest takes at its limits; what the waiting step overran is gone."""
    if not incident.open:
        return 0.0
    rest = sum(
        step.standard.seconds(calendar.day_seconds) for step in _path(procedure, waiting.step)
    )
    return rest - min(waiting.used_seconds, waiting.standard_seconds)


def _loops(procedure: Procedure, calendar: Calendar, room: float) -> Mapping[int, int]:
    return {
        step.number: max(0, int(room // loop_seconds(procedure, step.number, calendar.day_seconds)))
        for step in procedure.steps
        if step.return_to is not None
    }


def _downtime(incident: Incident, now: datetime) -> float | None:
    """Calendar seconds the cause was red; its green spells do not count."""
    roots = [trouble for trouble in incident.troubles if trouble.root]
    if not roots:
        return None
    until = now if incident.closed_at is None else incident.closed_at
    red = (
        (min(root.cleared_at or until, until) - root.first_at).total_seconds() - root.green_seconds
        for root in roots
    )
    return max(0.0, *red)


def _upcoming(
    incident: Incident, procedure: Procedure, calendar: Calendar, now: datetime
) -> Iterator[tuple[datetime, Due]]:
    """Reminders and breaches not yet written, each with the moment it has to be written."""
    state = clocks(incident, procedure, calendar, now)
    written = [(visit.reminded_at, visit.breached_at) for visit in incident.visits]
    overall = (incident.overall_reminded_at, incident.overall_breached_at)
    for clock, (reminded, breached) in zip(
        (*state.steps, state.overall), (*written, overall), strict=True
    ):
        late = clock.state is ClockState.BREACHED
        if breached is None and (late or clock.ended_at is None):
            due = Due(EventKind.BREACHED, clock.step, clock.attempt, clock.due_at)
            yield clock.due_at + _JUST_AFTER, due
        if reminded is None and not late and clock.ended_at is None:
            yield (
                clock.remind_at,
                Due(EventKind.REMINDED, clock.step, clock.attempt, clock.remind_at),
            )


_JUST_AFTER = timedelta(microseconds=1)
"""A sign-off at the very deadline is in time, so a breach is one only after it."""
