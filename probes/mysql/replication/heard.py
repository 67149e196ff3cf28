"""Whether a replica receives from its source: separates an unwritten heartbeat from a late one.

If the primary's agent is off, nobody writes the heartbeat row although replication works; yet a
receiver on a dead connection looks just as healthy in the server's status. A source counts as
connected while the received position or the number of heartbeats of the connection moves.
Sources: MariaDB, SHOW ALL SLAVES STATUS (Slave_received_heartbeats); MySQL,
performance_schema.replication_connection_status; both send one twice in slave_net_timeout, 60 s.
"""

from __future__ import annotations

from collections.abc import Mapping

from probes.model import Memory, MemoryKey, Session
from probes.mysql.replication.channels import DEFAULT_CHANNEL, Channel

_Sign = tuple[str, int]
"""Received position and number of heartbeats."""
_HEARD = MemoryKey[dict[str, tuple[_Sign, float]]]("last sign of each channel, and when")

SILENT_SECONDS = 75.0
"""With the servers' defaults two heartbeats are due by then."""

CURRENT_SECONDS = 30.0
"""Less lag than this needs no warning."""

_HEARTBEATS = """
SELECT CHANNEL_NAME AS channel, COUNT_RECEIVED_HEARTBEATS AS heartbeats
FROM performance_schema.replication_connection_status"""


def heartbeats(session: Session) -> Mapping[str, int]:
    """How many each channel has received, where a view of its own counts them (MySQL)."""
    if session.flavour != "mysql":
        return {}
    return {
        str(row["channel"]) or DEFAULT_CHANNEL: int(row["heartbeats"])
        for row in session.rows(_HEARTBEATS)
    }


def silent_seconds(memory: Memory, channel: Channel, heartbeats: int, now: float) -> float:
    """For how long nothing has come from the source; 0 at the first reading, which cannot know.

    ``now``: seconds of a monotonic clock.
    """
    sign = (channel.received, heartbeats or channel.heartbeats)
    heard = memory.of(_HEARD, {})
    before, at = heard.get(channel.name, (None, now))
    if sign != before:
        at = now
    heard[channel.name] = (sign, at)
    return now - at


def is_current(channel: Channel, silent: float, age: float) -> bool:
    """Whether lag does not explain a heartbeat row of that age: the source is connected, and what
    came from it is applied except for less than half the age and half a minute.
    """
    lag = channel.lag_seconds
    return (
        channel.io_running
        and channel.sql_running
        and lag is not None
        and lag < min(CURRENT_SECONDS, age / 2)
        and silent < SILENT_SECONDS
    )
