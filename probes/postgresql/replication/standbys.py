"""Expected standbys that are missing, and commits that wait for a missing one.

A missing standby leaves no row, so the expected ones must be declared: the target's label
``expects.standbys``, a list of application names separated by commas. When fewer synchronous
standbys stream than ``synchronous_standby_names`` requires, every commit hangs: an outage for
writers although the server looks healthy. Sources: PostgreSQL manual, pg_stat_replication,
synchronous_standby_names.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from probes.model import Exhibit, Measure, Measurement, Probe, Session, Text, Threshold
from probes.postgresql.grants import PG_MONITOR, SEES_EVERYBODY, require_sight
from probes.postgresql.replication.streams import expected
from probes.words.tables import exhibit

LABEL = "expects.standbys"

# Our sessions set neither of the two, so the present setting is what every session starts with;
# the view pg_settings would build all its rows, and that costs more than the rest of the round.
_WHO = f"""
select pg_is_in_recovery() as in_recovery, current_user as account,
       {SEES_EVERYBODY} as sees_everybody,
       current_setting('synchronous_standby_names') as wanted,
       current_setting('synchronous_commit') as commit,
       (select count(*) from pg_stat_get_activity(null) where wait_event = 'SyncRep') as waiting
"""  # noqa: S608 - only constants of this package are inserted

_STANDBYS = """
select application_name as name, coalesce(host(client_addr), 'socket') as client, state,
       sync_state, sent_lsn::text as sent, flush_lsn::text as flushed, replay_lsn::text as replayed,
       reply_time::text as last_reply
from pg_stat_replication where state <> 'backup' order by application_name
"""

_COUNTED = re.compile(r"^\s*(?:(?:FIRST|ANY)\s+)?(\d+)\s*\(", re.IGNORECASE)


def needed(names: str) -> int:
    """How many standbys a commit waits for, by synchronous_standby_names."""
    if not names.strip():
        return 0
    counted = _COUNTED.match(names)
    return int(counted[1]) if counted else 1


def read(session: Session) -> Iterable[Measurement]:
    """Nothing about commits on a replica; expected standbys also where a replica feeds others."""
    who = session.rows(_WHO)[0]
    require_sight(who)
    rows = session.rows(_STANDBYS)
    here = {str(row["name"]) for row in rows}
    for name in expected(session.target.labels.get(LABEL, "")):
        yield Measurement(
            "standby_connected",
            float(name in here),
            name,
            {"here": ", ".join(sorted(here)) or "-"},
        )
    if who["in_recovery"] or who["commit"] in ("off", "local"):
        return
    wanted = needed(str(who["wanted"] or ""))
    streaming = sum(
        1 for row in rows if row["sync_state"] in ("sync", "quorum") and row["state"] == "streaming"
    )
    yield Measurement(
        "synchronous_standbys_missing",
        float(max(0, wanted - streaming)),
        detail={
            "wanted": wanted,
            "streaming": streaming,
            "names": who["wanted"] or "-",
            "waiting": who["waiting"],
        },
    )


def exhibits(session: Session) -> Iterable[Exhibit]:
    """Who is connected, and in which state."""
    yield exhibit(Text("Standbys connected"), session.rows(_STANDBYS))


PROBE = Probe(
    name="standbys",
    engine="postgresql",
    question=Text("Is every expected standby connected?"),
    measures=(
        Measure("standby_connected", "", "1 when this expected standby is connected.", "replica"),
        Measure(
            "synchronous_standbys_missing",
            "",
            "Synchronous standbys that commits wait for and that are missing.",
        ),
    ),
    thresholds=(
        Threshold(
            "standby_connected",
            Text("{target}: standby {subject} is not connected (there are: {here})"),
            Text(
                "Start that standby or check its network and primary_conninfo; its slot keeps WAL "
                "while it is away. If it was retired, take it off the list expects.standbys."
            ),
            "replication",
            critical=0.0,
            above=False,
            raise_after=2,
            headline=Text("{target}: standby {subject} is not connected"),
        ),
        Threshold(
            "synchronous_standbys_missing",
            Text(
                "{target}: commits hang: {streaming} of {wanted} synchronous standbys are there "
                "({names}); {waiting} {waiting:session waits|sessions wait}"
            ),
            Text(
                "Bring the synchronous standby back. If that takes long and the owner of the "
                "data agrees: `ALTER SYSTEM SET synchronous_standby_names = ''` and `SELECT "
                "pg_reload_conf()`."
            ),
            "replication",
            critical=1.0,
            raise_after=2,
            headline=Text("{target}: commits hang, synchronous standbys are missing ({names})"),
        ),
    ),
    read=read,
    exhibits=exhibits,
    grants=(PG_MONITOR,),
    runbook=Text(
        "1. Does the standby run? 2. The network between. 3. The slot and the WAL it keeps. "
        "4. If synchronous: how many sessions wait, and the data owner's decision to relax it."
    ),
)
