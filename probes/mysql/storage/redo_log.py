"""Use of the redo log, and commits that wait for it.

When the checkpoint falls a whole log behind, every write stops until pages are flushed, and
applications see a server that hangs for moments. Compares the age of the checkpoint with the log's
size, under the names of each flavour. Sources: MariaDB status Innodb_checkpoint_age, _max_age;
MySQL 8.0.30+ Innodb_redo_log_current_lsn, _checkpoint_lsn, _capacity_resized; before that
INFORMATION_SCHEMA.INNODB_METRICS has no value by default.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from probes.model import Measure, Measurement, Probe, Session, Text, Threshold
from probes.mysql.ask import growth, number, status
from probes.words.units import written

_NAMES = (
    "Innodb_checkpoint_age", "Innodb_checkpoint_max_age", "Innodb_redo_log_current_lsn",
    "Innodb_redo_log_checkpoint_lsn", "Innodb_redo_log_capacity_resized", "Innodb_log_waits",
    "Uptime",
)  # fmt: skip


def read(session: Session) -> Iterator[Measurement]:
    """Share of the redo log in use, and waits for its buffer since the last reading."""
    found = status(session, *_NAMES)
    age, size = checkpoint(found)
    if age is not None and size:
        detail = {"age": written(age, "bytes"), "size": written(size, "bytes")}
        yield Measurement("redo_log_used_ratio", age / size, detail=detail)
        yield Measurement("checkpoint_age_bytes", age)
    uptime, waits = number(found, "Uptime"), number(found, "Innodb_log_waits")
    if uptime is None or waits is None:
        return
    grown, seconds = growth(session, {"uptime": uptime, "waits": waits})
    if seconds:
        yield Measurement("redo_log_waits_per_second", grown["waits"] / seconds)


def checkpoint(found: Mapping[str, str]) -> tuple[float | None, float | None]:
    """Bytes since the checkpoint, and their maximum."""
    age = number(found, "Innodb_checkpoint_age")
    if age is not None:
        return age, number(found, "Innodb_checkpoint_max_age")
    current = number(found, "Innodb_redo_log_current_lsn")
    done = number(found, "Innodb_redo_log_checkpoint_lsn")
    if current is None or done is None:
        return None, None
    return max(0.0, current - done), number(found, "Innodb_redo_log_capacity_resized")


PROBE = Probe(
    name="redo_log",
    engine="mysql",
    question=Text("How full is the redo log, and do commits wait for it?"),
    measures=(
        Measure(
            "redo_log_used_ratio", "ratio", "Redo since the checkpoint as a share of its maximum"
        ),
        Measure("checkpoint_age_bytes", "bytes", "Redo since the checkpoint"),
        Measure("redo_log_waits_per_second", "", "Waits for the redo log's buffer per second"),
    ),
    thresholds=(
        Threshold(
            measure="redo_log_used_ratio",
            title=Text(
                "{target}: the redo log is {value} used ({age} of {size}): writes will stall"
            ),
            headline=Text("{target}: the redo log is filling up: writes will stall"),
            hint=Text(
                "Enlarge innodb_redo_log_capacity / innodb_log_file_size, look at a slow disk and "
                "innodb_io_capacity."
            ),
            family="performance",
            # from seven eighths on InnoDB makes the sessions themselves wait for flushing
            warning=0.875,
            raise_after=4,
            clear_margin=0.1,
        ),
        Threshold(
            measure="redo_log_waits_per_second",
            title=Text(
                "{target}: commits wait for the redo log's buffer {value} {value:time|times} a "
                "second"
            ),
            headline=Text("{target}: commits wait for the redo log's buffer"),
            hint=Text("Enlarge innodb_log_buffer_size; look for transactions with large BLOBs."),
            family="performance",
            warning=1.0,
            raise_after=4,
        ),
    ),
    read=read,
    runbook=Text(
        "1. A big job running (import, ALTER)? 2. Disk: iostat. 3. Redo for about an hour of "
        "writes. 4. MySQL 8.0.30+ and MariaDB 10.9+: no restart."
    ),
)
