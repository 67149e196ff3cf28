"""Parallel appliers of a replica that failed, and their errors.

With several workers the channel itself only says "a worker failed, see the table"; the worker's own
row names the table or row. Returns nothing if a server has no such list (MariaDB's channel has the
worker's error itself); texts contain no user data.
Source: performance_schema.replication_applier_status_by_worker, MySQL 5.7 to 9.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from probes.model import Session
from probes.mysql.redact import error_text
from probes.mysql.replication.channels import DEFAULT_CHANNEL, Channel

_FAILED = """
SELECT * FROM performance_schema.replication_applier_status_by_worker
WHERE LAST_ERROR_NUMBER <> 0 LIMIT 50"""


@dataclass(frozen=True, slots=True)
class Worker:
    """One applier that stopped with an error."""

    number: int
    errno: int
    error: str  # redacted
    transaction: str  # what it was applying


def failed_workers(session: Session) -> dict[str, list[Worker]]:
    """Channel to its failed workers."""
    if session.flavour != "mysql":
        return {}
    found: dict[str, list[Worker]] = {}
    for row in session.rows(_FAILED):
        name = str(row["CHANNEL_NAME"] or "") or DEFAULT_CHANNEL
        found.setdefault(name, []).append(
            Worker(
                int(row["WORKER_ID"]),
                int(row["LAST_ERROR_NUMBER"]),
                error_text(row["LAST_ERROR_MESSAGE"]),
                # 5.7 has LAST_SEEN_TRANSACTION in its place
                str(row.get("APPLYING_TRANSACTION") or row.get("LAST_SEEN_TRANSACTION") or ""),
            )
        )
    return found


def named(channel: Channel, workers: list[Worker]) -> Channel:
    """The channel with its first failed worker's message, which names the table."""
    if not workers:
        return channel
    first = workers[0]
    return replace(
        channel, sql_errno=first.errno, sql_error=f"worker {first.number}: {first.error}"
    )
