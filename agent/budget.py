"""Why: a monitor that harms what it watches is a fault of its own, and must say so itself.

Promise: what the agent costs a server (sessions, waiting time, rows, lock waits) is measured by
the agent, exported, and judged against a declared budget like any other measure. A server that
cannot be used says nothing about our cost: its own outage is told already.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from agent.membership import DERIVED, nothing_to_ask
from probes import Measure, Measurement, Probe, Reading, Text, Threshold
from probes.runner import Cost

WINDOW = timedelta(minutes=5)
MOST_SESSIONS = 3
"""One kept, one fresh login, one for evidence."""

PROBE = Probe(
    name="own_cost",
    engine=DERIVED,
    question=Text(
        "Apakah Sigap sendiri membebani server ini?", "Is Sigap itself a burden to this server?"
    ),
    measures=(
        Measure("own_sessions", "", "Sessions Sigap had open at once since the reading before."),
        Measure(
            "own_busy_ratio", "ratio", "Share of the last five minutes spent waiting for answers."
        ),
        Measure("own_lock_waits", "", "Statements of Sigap that gave up on a lock in 5 minutes."),
    ),
    thresholds=(
        Threshold(
            "own_sessions",
            Text(
                "Sigap membuka {value} sesi sekaligus ke {target} (anggaran 3)",
                "Sigap had {value} sessions open at once on {target} (budget 3)",
            ),
            Text(
                "Ini cacat pada Sigap atau pada jaringan yang menahan sesi lama: laporkan beserta "
                "baris log-nya.",
                "This is a bug in Sigap, or a network that holds old sessions: report it with its "
                "log lines.",
            ),
            "own_cost",
            critical=MOST_SESSIONS + 1.0,
            headline=Text(
                "Sigap membuka terlalu banyak sesi ke {target}",
                "Sigap has too many sessions open on {target}",
            ),
        ),
        Threshold(
            "own_busy_ratio",
            Text(
                "Pertanyaan Sigap menyita {value} waktu di {target} (batas {limit})",
                "Sigap's questions take {value} of the time on {target} (limit {limit})",
            ),
            Text(
                "Jarangkan probe yang paling lama (kolom lamanya di halaman Server): "
                "probes.NAMA.every. Sigap sudah melambat sendiri.",
                "Run the slowest probe less often (its duration is on the Servers page): "
                "probes.NAME.every. Sigap has already slowed down by itself.",
            ),
            "own_cost",
            # A second of waiting in four is no longer watching; half the time is a load.
            warning=0.25,
            critical=0.5,
            raise_after=4,
            clear_margin=0.2,
            headline=Text(
                "Pertanyaan Sigap menyita terlalu banyak waktu di {target}",
                "Sigap's questions take too much of the time on {target}",
            ),
        ),
        Threshold(
            "own_lock_waits",
            Text(
                "{value} pertanyaan Sigap di {target} menyerah menunggu kunci dalam 5 menit",
                "{value} questions of Sigap on {target} gave up waiting for a lock in 5 minutes",
            ),
            Text(
                "Sebuah sesi memegang kunci eksklusif atas katalog; lihat blocked_sessions.",
                "A session holds an exclusive lock on the catalogue; see blocked_sessions.",
            ),
            "own_cost",
            warning=5.0,
            headline=Text(
                "Pertanyaan Sigap di {target} menyerah menunggu kunci",
                "Questions of Sigap on {target} gave up waiting for a lock",
            ),
        ),
    ),
    read=nothing_to_ask,
)


SPACING = timedelta(seconds=5)
"""Between two marks kept: a target asked five times a second needs no 1,500 of them."""


@dataclass(frozen=True, slots=True)
class _Mark:
    at: datetime
    seconds: float
    lock_waits: int


@dataclass(slots=True)
class Budget:
    """What one target has cost over the last minutes; used by that target's thread."""

    _marks: deque[_Mark] = field(default_factory=deque)

    def derive(self, reading: Reading, cost: Cost) -> Reading:
        """The cost up to ``reading``, as a reading for the judge."""
        mark = _Mark(reading.at, cost.seconds, cost.lock_waits)
        if not self._marks or abs(reading.at - self._marks[-1].at) >= SPACING:
            self._marks.append(mark)
        while len(self._marks) > 2 and reading.at - self._marks[1].at >= WINDOW:
            self._marks.popleft()
        before = self._marks[0]
        if cost.seconds < before.seconds or reading.at < before.at:  # another owner, another count
            self._marks = deque([mark])
            before = mark
        sessions, cost.most_sessions = cost.most_sessions, cost.sessions
        found = [
            Measurement("own_sessions", float(sessions)),
            Measurement("own_lock_waits", float(mark.lock_waits - before.lock_waits)),
        ]
        elapsed = (mark.at - before.at).total_seconds()
        if elapsed >= WINDOW.total_seconds() / 5:
            found.append(Measurement("own_busy_ratio", (mark.seconds - before.seconds) / elapsed))
        return Reading(reading.target, PROBE.name, reading.at, 0.0, tuple(found))
