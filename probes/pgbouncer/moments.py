"""How long clients have waited, by PgBouncer's own clock.

A client that has sent a query has a ``wait``. One that is still logging in has none; the time of
its last message is used, which on a slow machine is later than its connect time. SHOW CLIENTS
prints instants in PgBouncer's zone, to the second; the newest is the console's own query, so it is
"now" by the same clock.
"""

from __future__ import annotations

from datetime import UTC, datetime

from probes.model import Session
from probes.pgbouncer import ask


def longest_waits(session: Session) -> dict[tuple[str, str], float]:
    """Seconds of the longest wait of a client, by database and user."""
    clients = ask.shown(session, "CLIENTS")
    moments = [_moment(row["request_time"]) for row in clients]
    now = max((at for at in moments if at is not None), default=None)
    longest: dict[tuple[str, str], float] = {}
    for row in clients:
        if row["state"] != "waiting":
            continue
        waited = float(row.get("wait") or 0) + float(row.get("wait_us") or 0) / 1e6
        came, asked = _moment(row["connect_time"]), _moment(row["request_time"])
        if not waited and now and came and asked:
            waited = (now - max(came, asked)).total_seconds()
        pool = (str(row["database"]), str(row["user"]))
        longest[pool] = max(longest.get(pool, 0.0), waited)
    return longest


def _moment(said: object) -> datetime | None:
    """``2026-11-26 08:54:42 WITA`` as if it were UTC: within one answer the zone is the same."""
    try:
        return datetime.strptime(str(said)[:19], "%Y-%m-%d %H:%M:%S").replace(tzinfo=UTC)
    except ValueError:
        return None
