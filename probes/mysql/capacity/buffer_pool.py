"""Buffer pool misses, and sessions that wait for a free page.

When the working set no longer fits, all queries slow down together and nothing names the cause.
Both figures cover the time since the last reading, not since the server started, which would hide a
bad hour. Source: status Innodb_buffer_pool_reads, _read_requests, _wait_free.
"""

from __future__ import annotations

from collections.abc import Iterator

from probes.model import Measure, Measurement, Probe, Session, Text, Threshold
from probes.mysql.ask import counted, growth, number, status, variables

_NAMES = (
    "Innodb_buffer_pool_reads", "Innodb_buffer_pool_read_requests",
    "Innodb_buffer_pool_wait_free", "Uptime",
)  # fmt: skip
_BUSY = 1000.0
"""Page requests per second below which a ratio has no meaning."""


def read(session: Session) -> Iterator[Measurement]:
    """Misses and waits since the last reading; nothing at the first one."""
    grown, seconds = growth(session, counted(status(session, *_NAMES)))
    if not seconds:
        return
    requests = grown.get("innodb_buffer_pool_read_requests", 0.0)
    reads = grown.get("innodb_buffer_pool_reads", 0.0)
    size = number(variables(session, "innodb_buffer_pool_size"), "innodb_buffer_pool_size")
    detail = {"size": f"{(size or 0) / 1e6:,.0f} MB"}
    yield Measurement("buffer_pool_reads_per_second", reads / seconds)
    ratio = reads / requests if requests / seconds >= _BUSY else 0.0
    yield Measurement("buffer_pool_miss_ratio", min(1.0, ratio), detail=detail)
    waits = grown.get("innodb_buffer_pool_wait_free", 0.0)
    yield Measurement("buffer_pool_waits_per_second", waits / seconds, detail=detail)


_HINT = Text(
    "Look for a new query that scans a large table; if the machine has the memory, enlarge "
    "innodb_buffer_pool_size (no restart needed)."
)

PROBE = Probe(
    name="buffer_pool",
    engine="mysql",
    question=Text("Does the data in use fit in memory (the buffer pool)?"),
    measures=(
        Measure("buffer_pool_reads_per_second", "", "Pages read from disk per second"),
        Measure(
            "buffer_pool_miss_ratio", "ratio", "Page requests that went to disk; 0 when hardly used"
        ),
        Measure("buffer_pool_waits_per_second", "", "Waits for a free page per second"),
    ),
    thresholds=(
        Threshold(
            measure="buffer_pool_miss_ratio",
            title=Text("{target}: {value} of page requests go to disk (buffer pool {size})"),
            headline=Text(
                "{target}: the buffer pool is too small ({size}), pages are read from disk"
            ),
            hint=_HINT,
            family="performance",
            # a healthy server misses well under 1 %; a dump misses for as long as it runs
            warning=0.05,
            raise_after=20,
        ),
        Threshold(
            measure="buffer_pool_waits_per_second",
            title=Text(
                "{target}: sessions wait for a free page {value} {value:time|times} a second "
                "(buffer pool "
                "{size})"
            ),
            headline=Text("{target}: sessions wait for a free page (buffer pool {size})"),
            hint=_HINT,
            family="performance",
            warning=1.0,  # it should never happen at all
            raise_after=4,
        ),
    ),
    read=read,
    runbook=Text(
        "1. Since when, and what changed (release, report, backup)? 2. The heaviest queries. 3. "
        "The machine's memory. 4. Enlarge it step by step."
    ),
)
