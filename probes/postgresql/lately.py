"""Recent changes on the server, for the evidence of any fault.

A fault often follows a change by minutes: a reload, a restart, an ALTER SYSTEM. Sources: manual,
"pg_settings" (``pending_restart``, ``sourcefile``), "System Information Functions"
(``pg_conf_load_time``).
"""

from __future__ import annotations

from collections.abc import Iterable

from probes.local import down_evidence
from probes.model import Exhibit, Session, Text
from probes.words.tables import exhibit

_MOMENTS = """
select 'started' as what, pg_postmaster_start_time() as at
union all
select 'loaded', pg_conf_load_time()
union all
select 'reset', max(stats_reset) from pg_stat_database
order by at desc nulls last
"""

_WHAT = {
    "started": Text("the server was started"),
    "loaded": Text("the configuration was loaded"),
    "reset": Text("statistics were reset"),
}

# A connection string or command may hold a password.
_BY_HAND = """
select name, setting, unit, boot_val as built_in,
       pending_restart
from pg_settings
where (pending_restart or sourcefile like '%postgresql.auto.conf')
  and name !~ '(conninfo|command|passphrase)'
order by pending_restart desc, name
limit 30
"""


_WAITS = Text("waits for a restart")


def lately(session: Session) -> Iterable[Exhibit]:
    """Last start and reload, settings from ALTER SYSTEM, settings that wait for a restart, the
    log.
    """
    yield exhibit(
        Text("Last changes on the server"),
        [{**row, "what": _WHAT[row["what"]]} for row in session.rows(_MOMENTS)],
    )
    yield exhibit(
        Text("Settings by ALTER SYSTEM, or waiting for a restart"),
        [
            {**row, "state": _WAITS if row["pending_restart"] else ""}
            for row in session.rows(_BY_HAND)
        ],
        ("name", "setting", "unit", "built_in", "state"),
    )
    yield from down_evidence.last_words(session)
