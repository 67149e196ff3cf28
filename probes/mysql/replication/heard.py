"""Whether a replica hears its source: what tells "nobody writes the heartbeat" from "it is late".

Why: an agent of the primary that is off writes no row, and its replicas are none the worse for it;
yet a receiver on a dead connection looks just as calm by the server's own word. Promise: a source
counts as heard while the received position or the number of heartbeats of the connection moves.
Sources: MariaDB, SHOW ALL SLAVES STATUS (Slave_received_heartbeats); MySQL,
performance_schema.replication_connection_status; both send one twice in slave_net_timeout, 60 s.
"""

from __future__ import annotations

from collections.abc import Mapping, MutableMapping
from typing import Any

from probes.model import Session
from probes.mysql.replication.channels import DEFAULT_CHANNEL, Channel

SILENT_SECONDS = 75.0
"""Two heartbeats are due by then with the servers' defaults."""

CURRENT_SECONDS = 30.0
"""Less lag than this is no lag worth a warning."""

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


def silent_seconds(
    memory: MutableMapping[str, Any], channel: Channel, heartbeats: int, now: float
) -> float:
    """For how long nothing has come from the source; 0 at the first look, which cannot know.

    ``now``: seconds of a steady clock.
    """
    sign = (channel.received, heartbeats or channel.heartbeats)
    heard = memory.setdefault("heard", {})
    before, at = heard.get(channel.name, (None, now))
    if sign != before:
        at = now
    heard[channel.name] = (sign, at)
    return float(now - at)


def is_current(channel: Channel, silent: float, age: float) -> bool:
    """Whether lag is no reason for a row of that age: the source is heard, and what came of it is
    applied but for less than half the age and half a minute."""
    lag = channel.lag_seconds
    return (
        channel.io_running
        and channel.sql_running
        and lag is not None
        and lag < min(CURRENT_SECONDS, age / 2)
        and silent < SILENT_SECONDS
    )
