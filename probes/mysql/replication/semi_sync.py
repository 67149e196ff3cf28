"""Semi-synchronous replication: whether it works, and whether it holds up commits.

After its timeout the server silently continues without a replica's acknowledgement (a crash then
loses commits); with a long timeout every commit hangs instead. Reports nothing where it is switched
off. Installations that fail over switch both sides on everywhere, so each side is reported only
where it is used: the source's not on a replica without replicas, the replica's not on a server that
replicates from nobody. Sources: status Rpl_semi_sync_{source,master}_status, _clients,
_wait_sessions, _yes_tx and Rpl_semi_sync_{replica,slave}_status, under both pairs of names.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from probes.model import Measure, Measurement, MemoryKey, Probe, Session, Text, Threshold
from probes.mysql.ask import is_on, number, status, variables
from probes.mysql.grants import CHANNELS, INSTRUMENTS
from probes.mysql.replication.channels import channels, connected_replicas

_WAITS = MemoryKey[tuple[float, float | None]]("sessions waiting, commits acknowledged")

_SOURCE_ENABLED = ("rpl_semi_sync_source_enabled", "rpl_semi_sync_master_enabled")
_REPLICA_ENABLED = ("rpl_semi_sync_replica_enabled", "rpl_semi_sync_slave_enabled")
_SOURCE_STATUS = ("Rpl_semi_sync_source_status", "Rpl_semi_sync_master_status")
_CLIENTS = ("Rpl_semi_sync_source_clients", "Rpl_semi_sync_master_clients")
_WAITING = ("Rpl_semi_sync_source_wait_sessions", "Rpl_semi_sync_master_wait_sessions")
_CONFIRMED = ("Rpl_semi_sync_source_yes_tx", "Rpl_semi_sync_master_yes_tx")
_UNCONFIRMED = ("Rpl_semi_sync_source_no_tx", "Rpl_semi_sync_master_no_tx")
_REPLICA_STATUS = ("Rpl_semi_sync_replica_status", "Rpl_semi_sync_slave_status")


def read(session: Session) -> Iterator[Measurement]:
    """State of the side or sides that are switched on and used here."""
    switches = variables(session, *_SOURCE_ENABLED, *_REPLICA_ENABLED)
    source, replica = is_on(switches, *_SOURCE_ENABLED), is_on(switches, *_REPLICA_ENABLED)
    if not source and not replica:
        return
    found = status(
        session,
        *_SOURCE_STATUS, *_CLIENTS, *_WAITING, *_CONFIRMED, *_UNCONFIRMED, *_REPLICA_STATUS,
    )  # fmt: skip
    confirms = is_on(found, *_REPLICA_STATUS)
    # the channels are asked for only where something is at rest
    follows = confirms or ((replica or not at_work(found)) and bool(channels(session)))
    if source:
        yield from states(found)
        yield from stalled(session, found)
        if at_work(found) or not follows or is_source(session):
            clients = int(number(found, *_CLIENTS) or 0)
            active = float(at_work(found))
            yield Measurement("semi_sync_active", active, detail={"clients": clients})
    if replica and follows:
        yield Measurement("semi_sync_replica_active", float(confirms))


def at_work(found: Mapping[str, str]) -> bool:
    """Whether commits wait for a replica's acknowledgement, and a replica is connected to give
    it.
    """
    return is_on(found, *_SOURCE_STATUS) and (number(found, *_CLIENTS) or 0.0) > 0


def is_source(session: Session) -> bool:
    """Whether a server that is itself a replica must still be a source."""
    return session.target.role == "primary" or connected_replicas(session) > 0


def states(found: Mapping[str, str]) -> Iterator[Measurement]:
    """The source side's counts, under whichever names they come."""
    yield Measurement("semi_sync_clients", number(found, *_CLIENTS) or 0.0)
    yield Measurement("semi_sync_waiting_sessions", number(found, *_WAITING) or 0.0)
    if (unconfirmed := number(found, *_UNCONFIRMED)) is not None:
        yield Measurement("semi_sync_unconfirmed_transactions", unconfirmed)


def stalled(session: Session, found: Mapping[str, str]) -> Iterator[Measurement]:
    """The sessions that wait, if no commit at all was acknowledged since an earlier wait.

    On a busy primary some session always waits, for a round trip. Nothing at the first reading.
    """
    waiting, confirmed = number(found, *_WAITING) or 0.0, number(found, *_CONFIRMED)
    before = session.memory.get(_WAITS)
    session.memory.set(_WAITS, (waiting, confirmed))
    if before is None or confirmed is None:
        return
    stands = before[0] > 0 and before[1] == confirmed
    yield Measurement(
        "semi_sync_stalled_sessions",
        waiting if stands else 0.0,
        detail={"clients": int(number(found, *_CLIENTS) or 0)},
    )


PROBE = Probe(
    name="semi_sync",
    engine="mysql",
    question=Text("Does semi-synchronous replication work, and does it hold up commits?"),
    measures=(
        Measure("semi_sync_active", "", "1 when commits wait for a replica's acknowledgement"),
        Measure("semi_sync_clients", "", "Semi-synchronous replicas connected"),
        Measure(
            "semi_sync_waiting_sessions",
            "",
            "Sessions that wait for a replica's acknowledgement now",
        ),
        Measure(
            "semi_sync_stalled_sessions",
            "",
            "Sessions that wait while no commit was acknowledged since the previous reading",
        ),
        Measure(
            "semi_sync_unconfirmed_transactions",
            "",
            "Commits without a replica's acknowledgement since the start",
        ),
        Measure(
            "semi_sync_replica_active", "", "1 when this replica acknowledges what it receives"
        ),
    ),
    thresholds=(
        Threshold(
            measure="semi_sync_active",
            title=Text(
                "{target}: semi-synchronous replication is on but not at work ({clients} replicas "
                "connected): commits are no longer safe on a replica"
            ),
            headline=Text("{target}: semi-synchronous replication is on but not at work"),
            hint=Text(
                "Look at its semi-synchronous replicas: alive, connected, their side switched on?"
            ),
            family="replication",
            warning=0.0,
            above=False,
            raise_after=2,
        ),
        Threshold(
            measure="semi_sync_stalled_sessions",
            title=Text(
                "{target}: {value} {value:session hangs|sessions hang} in commit, waiting for a "
                "replica's word "
                "({clients} connected)"
            ),
            headline=Text("{target}: sessions hang in commit, waiting for a replica's word"),
            hint=Text(
                "Bring the replica back; in an emergency a person lowers "
                "rpl_semi_sync_source_timeout (master_timeout), knowing what guarantee is lost."
            ),
            family="replication",
            critical=1.0,  # one reading is enough: it already rests on the one before
        ),
        Threshold(
            measure="semi_sync_replica_active",
            title=Text("{target}: the semi-synchronous replica side is on but not at work"),
            hint=Text(
                "Once switched on, the receiver must be restarted: `STOP REPLICA IO_THREAD`; "
                "`START REPLICA IO_THREAD`."
            ),
            family="replication",
            warning=0.0,
            above=False,
            raise_after=3,
        ),
    ),
    read=read,
    when_unused=Text("semi-synchronous replication is off or has no work here"),
    grants=(
        *CHANNELS,
        *(each for each in INSTRUMENTS if "performance_schema" in each.sql),
    ),
    runbook=Text(
        "1. How many semi-synchronous replicas should there be? 2. Do their receivers run? 3. "
        "Slow network: raise the time-out, do not switch it off. 4. Note since when commits were "
        "bare."
    ),
)
