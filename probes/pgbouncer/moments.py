"""How old something is, by the clock of PgBouncer itself.

SHOW CLIENTS writes moments in PgBouncer's zone and to the second. The newest of them is the
console's own question, so it is "now" by the same clock, whatever ours says.
"""

from __future__ import annotations

from datetime import UTC, datetime

from probes.model import Session
from probes.pgbouncer import ask


def waiting_to_log_in(session: Session) -> dict[tuple[str, str], float]:
    """Seconds since the oldest client came that has no server connection yet, by pool."""
    clients = ask.shown(session, "CLIENTS")
    moments = [_moment(row["request_time"]) for row in clients]
    now = max((at for at in moments if at is not None), default=None)
    oldest: dict[tuple[str, str], float] = {}
    for row in clients:
        came = _moment(row["connect_time"])
        if row["state"] != "waiting" or came is None or now is None:
            continue
        pool = (str(row["database"]), str(row["user"]))
        oldest[pool] = max(oldest.get(pool, 0.0), (now - came).total_seconds())
    return oldest


def _moment(said: object) -> datetime | None:
    """``2026-11-26 08:54:42 WITA`` as if it were UTC: within one answer the zone is the same."""
    try:
        return datetime.strptime(str(said)[:19], "%Y-%m-%d %H:%M:%S").replace(tzinfo=UTC)
    except ValueError:
        return None
