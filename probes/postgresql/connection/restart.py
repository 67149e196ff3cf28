"""Restarts of the server, and whether one followed a crash.

Two kinds of crash look healthy a second later. When one backend crashes, the postmaster ends all
sessions and recovers, and keeps its own start time: only the younger checkpointer shows it. When
the whole server crashed, its statistics are discarded in the recovery that follows, which a clean
restart does not do. The latter is reported only for restarts of which this agent saw both sides. A
replica copied anew also begins without statistics; there, no file of its WAL is older than the
copy.
Source: PostgreSQL manual, pg_postmaster_start_time, "The Cumulative Statistics System".
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from probes.model import Measurement, Memory, MemoryKey, Row, Session, Text
from probes.postgresql.grants import PG_MONITOR, SEES_EVERYBODY, require_sight
from probes.templates import restart as restarts

_SEEN = MemoryKey[tuple[tuple[float, float], float]]("starts of server and checkpointer, and when")
_EVENT = MemoryKey[tuple[float, Text]]("the last start or crash, and which")

# From 15 on the checkpointer starts with the postmaster; before, only when a long recovery is
# over. A gap is proof by itself only where nothing but a crash makes one.
_PROOF_SINCE = 150000
_GAP_SECONDS = 10.0

_STATE = f"""
select current_user as account, {SEES_EVERYBODY} as sees_everybody,
       extract(epoch from clock_timestamp())::float8 as now,
       extract(epoch from pg_postmaster_start_time())::float8 as started,
       (select extract(epoch from backend_start)::float8 from pg_stat_get_activity(null)
        where backend_type = 'checkpointer') as checkpointer,
       (select extract(epoch from stats_reset)::float8 from pg_stat_archiver) as stats_reset,
       pg_is_in_recovery() as in_recovery
"""  # noqa: S608 - only constants of this package are inserted

# Files are dated in whole seconds.
_COPIED = """
select pg_is_in_recovery()
       and min(extract(epoch from modification)) >= floor(%s::float8) as copied from pg_ls_waldir()
"""

PLAIN = Text("the server was restarted")
BACKEND = Text("a process crashed, every session was ended and the server recovered")
SERVER = Text("the server crashed or lost power, then recovered")


def read(session: Session) -> Iterable[Measurement]:
    """Time since the last start or crash, and whether it was a crash."""
    row = session.rows(_STATE)[0]
    require_sight(row)
    yield from judged(row, session.version, session.memory, lambda at: _copied(session, at))


def _copied(session: Session, seen_at: float) -> bool:
    """Whether this replica was copied anew since that reading, which saw another one.

    After a crash the segments since the last restart point still exist, from before.
    """
    return bool(session.rows(_COPIED, (seen_at,))[0]["copied"])


def judged(
    row: Row,
    version: int,
    memory: Memory,
    copied: Callable[[float], bool] = lambda _: False,
) -> Iterable[Measurement]:
    """The measurements from one row of the server and the earlier record. No I/O.

    ``copied`` is called only for a server that looks crashed: was it copied since that instant?
    """
    now, started = float(row["now"]), float(row["started"])
    checkpointer = row["checkpointer"]
    before, seen_at = memory.get(_SEEN) or (None, now)
    if checkpointer is not None:
        at, how = _event(row, before, version)
        if how is SERVER and copied(seen_at):
            how = PLAIN
        memory.set(_SEEN, ((started, float(checkpointer)), now))
        if how is not None:
            memory.set(_EVENT, (at, how))
    known = memory.get(_EVENT)
    since, how = known if known is not None and known[0] >= started - 1 else (started, PLAIN)
    uptime = max(0.0, now - since)
    again = restarts.restarted(memory, since, 0.001)
    yield from restarts.measured(uptime, again, how is not PLAIN, {"how": how})


def _event(row: Row, before: tuple[float, float] | None, version: int) -> tuple[float, Text | None]:
    started, checkpointer = float(row["started"]), float(row["checkpointer"])
    if before is None or before[0] == started:
        changed = before is not None and before[1] != checkpointer
        gap = version >= _PROOF_SINCE and checkpointer - started > _GAP_SECONDS
        return checkpointer, BACKEND if changed or gap else None
    reset = row["stats_reset"]
    # Before 15 a standby discards its statistics at every start, the orderly one too.
    tells = version >= _PROOF_SINCE or not row["in_recovery"]
    crashed = tells and reset is not None and reset >= started
    return started, SERVER if crashed else PLAIN


PROBE = restarts.probe(
    "postgresql",
    question=Text("Was the server restarted, and had it crashed?"),
    read=read,
    after_a_crash=Text(
        "Find out why before it happens again: the server log (terminated by signal), "
        "`dmesg` (OOM killer, disk errors), a core dump. Signal 9 is usually the OOM "
        "killer."
    ),
    restarted_title=Text("{target}: {how} {value} ago"),
    after_a_restart=Text(
        "If nobody planned it, the log says who stopped it or why it crashed; caches are "
        "cold, so queries are slow for a while."
    ),
    grants=(PG_MONITOR,),
    runbook=Text(
        "1. Planned? Note it as a maintenance window. 2. The server log around that time. 3. "
        "`dmesg`. 4. Have applications reconnected. 5. Do replicas still stream."
    ),
)
