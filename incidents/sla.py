"""Time standards of an incident, computed from its events and the working calendar.

Nothing is counted up and nothing is stored: ask twice and the answer is the same. A step's
clock starts at its predecessor's sign-off (or at the opening), never at the claim; each visit
has its full standard; the overall clock never restarts; there is no pause. A sign-off at the
very deadline is in time. Source: READING 2.4, 2.5, 5.3.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from incidents.calendar import Calendar
from incidents.model import EventKind, Incident
from incidents.procedure import Procedure


class ClockState(StrEnum):
    """Of one standard. Breached is final, whether or not somebody signed since."""

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
    target_at: datetime | None  # when the target (step 4: 1 day) is reached
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
class Clocks:
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
) -> Clocks:
    """Every standard of the incident as it stands at ``now``."""
    raise NotImplementedError


def pending(
    incident: Incident, procedure: Procedure, calendar: Calendar, now: datetime
) -> tuple[Due, ...]:
    """What the sweep has to write at ``now``, oldest deadline first.

    A breach is due for every visit that passed its limit, signed since or not, also on a
    closed incident; a reminder only for what still waits and is not late already.
    """
    raise NotImplementedError


def next_wake(
    incident: Incident, procedure: Procedure, calendar: Calendar, now: datetime
) -> datetime | None:
    """When ``pending`` next has something new: ``now`` or earlier if it already has; None if
    never without a further event."""
    raise NotImplementedError


def loop_seconds(procedure: Procedure, step: int, day_seconds: float) -> float:
    """Working seconds one "Tidak" at ``step`` costs at the limits (step 7: 2 h 15 m)."""
    raise NotImplementedError
