"""Test commit on a primary, and age of the newest heartbeat on a replica.

A server with a full or hung disk, a read-only file system or a semi-synchronous replica that does
not answer still answers queries; only a commit shows the fault. Opt-in (``sigap grants --canary``):
one row, in a separate session that is given up after two seconds; never written on a replica or a
secondary of a group. The same row is the heartbeat: unlike the server's own seconds it keeps
counting when replication stops, and it needs both clocks to agree (see clock_skew).
"""

from __future__ import annotations

import time
from collections.abc import Iterator

from probes.model import (
    FailureKind,
    KeptKey,
    Measure,
    Measurement,
    Probe,
    ProbeError,
    Session,
    Text,
    Threshold,
)
from probes.mysql.clusters import groups
from probes.mysql.clusters.groups import Group
from probes.mysql.replication import heard, heartbeat
from probes.mysql.replication.channels import Channel, channels
from probes.mysql.replication.heartbeat import Beat
from probes.wire import deadline

_CHOSEN = KeptKey[bool]("chosen", bool)
"""The table was there once, so its absence is a fault."""

WRITE_SECONDS = 2.0
_SHARE_OF_THE_TIME = 0.6
"""Of the reading's remaining time, so that a hanging write leaves time to report it."""


def read(session: Session) -> Iterator[Measurement]:
    """On a primary: one commit, timed. On a replica: the age of the newest row."""
    found = heartbeat.beats(session)
    if found is None:
        if session.memory.get(_CHOSEN):
            raise ProbeError(
                FailureKind.BLIND,
                Text("the table sigap.heartbeat is gone, or its rights are"),
                Text("Run the lines of: sigap grants --canary again."),
            )
        return
    session.memory.set(_CHOSEN, True)
    follows = channels(session)
    group = groups.group(session)
    if _takes_writes(session.target.role, bool(follows), group):
        yield from _written(session)
    me = heartbeat.itself(session).server_id
    if group is not None and group.role == groups.REPLICA:
        yield from _from_the_group(group, found, groups.waiting(session, group))
    counted = heard.heartbeats(session) if follows else {}
    for channel in follows:
        silent = heard.silent_seconds(
            session.memory, channel, counted.get(channel.name, 0), time.monotonic()
        )
        beat = newest(channel, [each for each in found if each.server_id != me])
        if beat is not None:
            age = max(0.0, beat.age_seconds - channel.delay_seconds)
            current = heard.is_current(channel, silent, age)
            yield from _aged(age, current, channel.name, channel.source)


def _aged(age: float, current: bool, channel: str, source: str) -> Iterator[Measurement]:
    """Why a row is old: writes do not arrive here, or nobody writes it."""
    detail = {"source": source}
    yield Measurement("heartbeat_age_seconds", age, channel, detail)
    yield Measurement("heartbeat_late_seconds", 0.0 if current else age, channel, detail)
    yield Measurement("heartbeat_unwritten_seconds", age if current else 0.0, channel, detail)


def _takes_writes(expected: str, follows: bool, group: Group | None) -> bool:
    """Whether to write here: the group decides for its members, otherwise the role."""
    if group is not None:
        return group.role == groups.PRIMARY
    return expected == "primary" or (not follows and expected != "replica")


def _from_the_group(
    group: Group, found: list[Beat], waiting: float | None
) -> Iterator[Measurement]:
    """How old the primary's row is on a secondary, which has no channel listed."""
    for row in group.members:
        for beat in found:
            if row.get("MEMBER_ROLE") == "PRIMARY" and beat.server_uuid == row["MEMBER_ID"]:
                # The members of a group are connected; only what waits here can be late.
                current = waiting == 0
                yield from _aged(
                    max(0.0, beat.age_seconds), current, groups.APPLIER, groups.address(row)
                )


def newest(channel: Channel, found: list[Beat]) -> Beat | None:
    """The row of the server this channel replicates from; in a chain of replicas, the newest."""
    own = [each for each in found if each.server_id == channel.source_id]
    return next(iter(own or found), None)


def _written(session: Session) -> Iterator[Measurement]:
    """One commit within two seconds; a hanging or refused write is a measurement, not a failed
    reading.
    """
    try:
        with (
            deadline.within(min(WRITE_SECONDS, deadline.remaining() * _SHARE_OF_THE_TIME)),
            session.fresh() as own,
        ):
            own.rows("SET SESSION TRANSACTION READ WRITE")
            me = heartbeat.itself(own)
            started = time.perf_counter()
            heartbeat.write(own, me)
            seconds = time.perf_counter() - started
    except ProbeError as error:
        yield Measurement("canary_ok", 0.0, detail={"said": refused(error)})
        return
    said = Text("a test write commits")
    yield Measurement("canary_ok", 1.0, detail={"said": said})
    yield Measurement("canary_commit_seconds", seconds)


def refused(error: ProbeError) -> Text:
    """Why the write failed, in words."""
    if error.failure.kind is FailureKind.TIMEOUT or error.waited_for_lock:
        return Text(
            "a test write does not finish: a full or hung disk, a lock, or a "
            "semi-synchronous replica that does not answer ({error})",
            error=error,
        )
    return Text("a test write is refused: {error}", error=error)


PROBE = Probe(
    name="write_canary",
    engine="mysql",
    question=Text("Does a small write really commit, and reach the replica? (opt-in)"),
    measures=(
        Measure("canary_ok", "", "1 when the test write committed"),
        Measure("canary_commit_seconds", "seconds", "How long the test write took to commit"),
        Measure(
            "heartbeat_age_seconds",
            "seconds",
            "Age of the newest test write that reached this replica, beyond the intended delay",
            "channel",
        ),
        Measure(
            "heartbeat_late_seconds",
            "seconds",
            "The same age if this replica is behind or receives nothing from its source; else 0",
            "channel",
        ),
        Measure(
            "heartbeat_unwritten_seconds",
            "seconds",
            "The same age if this replica is current, so nobody writes the row; else 0",
            "channel",
        ),
    ),
    thresholds=(
        Threshold(
            measure="canary_ok",
            title=Text("{target}: {said}"),
            hint=Text(
                "Check the volumes of data and binary log (full, read-only, hung), read_only, and "
                "the semi-synchronous status."
            ),
            family="availability",
            critical=0.0,
            above=False,
            raise_after=2,
        ),
        Threshold(
            measure="canary_commit_seconds",
            title=Text("{target}: one small write takes {value}"),
            headline=Text("{target}: writes are slow"),
            hint=Text("Check disk load (iostat), slow fsync, and semi-synchronous replicas."),
            family="performance",
            warning=0.5,  # a commit is milliseconds on any disk; half a second is felt by users
            raise_after=3,
        ),
        Threshold(
            measure="heartbeat_late_seconds",
            title=Text(
                "{target}: the newest write from {source} is {value} old (channel {subject})"
            ),
            headline=Text(
                "{target}: data is stale, no write from {source} came for long (channel {subject})"
            ),
            hint=Text(
                "Compare with replication_lag: where the server itself says 0 seconds, its "
                "receiver is stuck on a dead connection."
            ),
            family="replication",
            # the row is written every 15 s or so: below a minute it says little
            warning=90.0,
            critical=300.0,
            raise_after=2,
            absent_clears=False,
        ),
        Threshold(
            measure="heartbeat_unwritten_seconds",
            title=Text(
                "{target}: nobody has written the heartbeat for {value}; this replica has applied "
                "all that {source} has (channel {subject})"
            ),
            headline=Text(
                "{target}: nobody writes the heartbeat on {source} any more (channel {subject})"
            ),
            hint=Text(
                "Start the Sigap that watches {source} again, or see write_canary there if it "
                "runs. If {source} is itself a replica, see whether that one is cut off."
            ),
            family="replication",
            warning=120.0,  # nothing is late here: only the independent check is missing
            raise_after=2,
            absent_clears=False,
        ),
    ),
    read=read,
    when_unused=Text("no test write is judged here; to install it: sigap grants --canary"),
    runbook=Text(
        "1. Which error? Full: volumes. Read-only: availability. Hangs: `dmesg`, iostat, "
        "semi_sync. 2. Applications fail to write too: announce it. 3. Do not restart a server "
        "that waits for its disk before the disk is mended."
    ),
)
