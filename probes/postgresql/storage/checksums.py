"""Pages read with a wrong checksum.

A failed checksum is damage by storage, memory or manipulation; PostgreSQL counts it and refuses the
page. Without checksums damage goes unnoticed, which is a measure of its own.
Source: PostgreSQL manual, pg_stat_database (checksum_failures), data_checksums.
"""

from __future__ import annotations

from collections.abc import Iterable

from probes.model import Measure, Measurement, Probe, Session, Text, Threshold

# Shared catalogues are counted in a row without a database's name.
_FAILURES = """
select coalesce(datname::text, 'shared') as database, checksum_failures::float8 as failures,
       to_char(checksum_last_failure at time zone 'UTC', 'YYYY-MM-DD HH24:MI:SS "UTC"') as last
from pg_stat_database where checksum_failures is not null
"""


def read(session: Session) -> Iterable[Measurement]:
    """Whether checksums are on, and failures by database since its statistics were reset."""
    on = session.rows("select current_setting('data_checksums') = 'on' as enabled")[0]["enabled"]
    yield Measurement("data_checksums", float(bool(on)))
    if not on:
        return
    for row in session.rows(_FAILURES):
        yield Measurement(
            "checksum_failures", row["failures"], row["database"], {"last": row["last"] or "-"}
        )


PROBE = Probe(
    name="checksums",
    engine="postgresql",
    question=Text("Has a damaged page been read?"),
    measures=(
        Measure("data_checksums", "", "1 when pages have checksums."),
        Measure("checksum_failures", "", "Pages whose checksum was wrong when read.", "database"),
    ),
    thresholds=(
        Threshold(
            "checksum_failures",
            Text("{target}: {value} damaged pages were read in database {subject}, last {last}"),
            Text(
                "Stop writing to that object, secure a copy of the files, find the file's name "
                "in the server log (page verification failed), check storage and memory, restore "
                "from a backup or a replica. When done: `SELECT pg_stat_reset();`"
            ),
            "corruption",
            critical=1.0,
            headline=Text("{target}: damaged pages were read in database {subject}"),
        ),
    ),
    read=read,
    when_unused=Text("data_checksums is off: a damaged page would not be noticed"),
    every=60.0,
    runbook=Text(
        "1. page verification failed in the log: file and block. 2. `dmesg` and SMART. 3. Is the "
        "replica sound? Fail over. 4. Restore; never use zero_damaged_pages without a copy. 5. "
        "Reset the statistics once it is mended."
    ),
)
