"""Checkpoints forced by WAL volume instead of by time.

Checkpoints that come because max_wal_size is used up are too frequent: each makes every page be
written in full once more. Judged over an hour of observation, so that one bulk load does not
matter. A standby has none: until 16 the same columns count its restartpoints, which write no page
in full.
Sources: PostgreSQL manual, pg_stat_checkpointer (17 and later), pg_stat_bgwriter.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from probes.model import (
    Measure,
    Measurement,
    Memory,
    MemoryKey,
    Probe,
    Row,
    Session,
    Text,
    Threshold,
)

READINGS = MemoryKey[list[dict[str, Any]]]("the rows of the last hour")

WINDOW_SECONDS = 3600.0
LEAST_CHECKPOINTS = 6
"""In the window, before a share of them has a meaning."""

_NEW = """
select extract(epoch from clock_timestamp())::float8 as now, num_timed::float8 as timed,
       num_requested::float8 as requested, write_time / 1000 as write_seconds,
       sync_time / 1000 as sync_seconds, current_setting('max_wal_size') as max_wal_size
from pg_stat_checkpointer where not pg_is_in_recovery()
"""
_OLD = """
select extract(epoch from clock_timestamp())::float8 as now, checkpoints_timed::float8 as timed,
       checkpoints_req::float8 as requested, checkpoint_write_time / 1000 as write_seconds,
       checkpoint_sync_time / 1000 as sync_seconds, current_setting('max_wal_size') as max_wal_size
from pg_stat_bgwriter where not pg_is_in_recovery()
"""
_NEW_SINCE = 170000


def read(session: Session) -> Iterable[Measurement]:
    """The share of requested checkpoints; nothing until there are enough, or on a standby.

    What a server did as a standby does not count once it is a primary.
    """
    rows = session.rows(_NEW if session.version >= _NEW_SINCE else _OLD)
    if not rows:
        session.memory.drop(READINGS)
        return
    (row,) = rows
    first = _window(session.memory, row)
    requested = row["requested"] - first["requested"]
    total = requested + row["timed"] - first["timed"]
    yield Measurement("checkpoints_requested", requested)
    yield Measurement(
        "checkpoint_sync_seconds", max(0.0, row["sync_seconds"] - first["sync_seconds"])
    )
    if total < LEAST_CHECKPOINTS:
        return
    detail = {
        "requested": int(requested), "total": int(total), "max_wal_size": row["max_wal_size"],
    }  # fmt: skip
    yield Measurement("checkpoint_requested_ratio", requested / total, detail=detail)


def _window(memory: Memory, row: Row) -> Row:
    """The oldest reading of the last hour, after recording this one; a reset starts again."""
    kept = [
        old
        for old in memory.get(READINGS) or []
        if row["now"] - old["now"] <= WINDOW_SECONDS
        and old["requested"] <= row["requested"]
        and old["timed"] <= row["timed"]
    ]
    kept.append(dict(row))
    memory.set(READINGS, kept)
    return dict(kept[0])


PROBE = Probe(
    name="checkpoints",
    engine="postgresql",
    question=Text("Does WAL force checkpoints too often?"),
    measures=(
        Measure(
            "checkpoints_requested",
            "",
            "Requested checkpoints within the last hour of observation.",
        ),
        Measure("checkpoint_sync_seconds", "seconds", "Time spent syncing files within that hour."),
        Measure(
            "checkpoint_requested_ratio",
            "ratio",
            "Requested ones as a share of the checkpoints within that hour.",
        ),
    ),
    thresholds=(
        Threshold(
            "checkpoint_requested_ratio",
            Text(
                "{target}: WAL forced {requested} of {total} checkpoints within the last hour "
                "(max_wal_size {max_wal_size})"
            ),
            Text(
                "Raise max_wal_size (a reload is enough) as far as the WAL volume allows, or "
                "spread the bulk work."
            ),
            "performance",
            # The server's own checkpoint_warning also says "too frequently"; half of
            # them being forced is tuning advice, never an outage.
            warning=0.5,
            clear_margin=0.2,
            headline=Text("{target}: WAL keeps forcing checkpoints (max_wal_size {max_wal_size})"),
        ),
    ),
    read=read,
    every=300.0,
    runbook=Text(
        "1. Which bulk work is running. 2. Room on the WAL volume. 3. max_wal_size and "
        "checkpoint_timeout. 4. wal_compression."
    ),
)
