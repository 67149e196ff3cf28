"""Settings under which a crash would lose or damage committed data.

Often left from a bulk load or a repair. Nothing fails today, so it is a warning and opens no
incident.
Source: PostgreSQL manual, "Write Ahead Log", "Developer Options".
"""

from __future__ import annotations

from collections.abc import Iterable

from probes.model import Exhibit, Measure, Measurement, Probe, Session, Text, Threshold
from probes.words.tables import exhibit

# reset_val is what ordinary sessions get; a role or database may still differ.
_UNSAFE = """
select name, reset_val as value, source,
       coalesce(sourcefile || ':' || sourceline, '-') as set_in
from pg_settings
where (name in ('fsync', 'full_page_writes', 'synchronous_commit') and reset_val = 'off')
   or (name in ('zero_damaged_pages', 'ignore_checksum_failure', 'ignore_system_indexes')
       and reset_val = 'on')
order by name
"""


def read(session: Session) -> Iterable[Measurement]:
    """How many settings are unsafe, and which."""
    rows = session.rows(_UNSAFE)
    which = ", ".join(f"{row['name']} = {row['value']}" for row in rows)
    yield Measurement("unsafe_settings", float(len(rows)), detail={"which": which})


def exhibits(session: Session) -> Iterable[Exhibit]:
    """The settings, and where each was set."""
    yield exhibit(Text("Unsafe settings"), session.rows(_UNSAFE))


PROBE = Probe(
    name="durability_settings",
    engine="postgresql",
    question=Text("Is what was committed safe if the server crashes?"),
    measures=(Measure("unsafe_settings", "", "Settings that risk loss or damage in a crash."),),
    thresholds=(
        Threshold(
            "unsafe_settings",
            Text("{target}: settings that are unsafe in a crash: {which}"),
            Text(
                "Put them back with ALTER SYSTEM RESET and `SELECT pg_reload_conf()`. If meant "
                "so (a trial server), disable this probe for the target."
            ),
            "durability",
            warning=1.0,
        ),
    ),
    read=read,
    every=600.0,
    exhibits=exhibits,
    runbook=Text(
        "1. Who set it and why (set_in in the evidence). 2. Put it back. 3. After fsync = off on a "
        "server that has crashed: take the data for damaged, restore from a backup."
    ),
)
