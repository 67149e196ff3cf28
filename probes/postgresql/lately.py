"""What was changed on the server before trouble began, as far as it remembers.

A fault often follows a change by minutes: a reload, a restart, an ALTER SYSTEM. Sources: manual,
"pg_settings" (``pending_restart``, ``sourcefile``), "System Information Functions"
(``pg_conf_load_time``).
"""

from __future__ import annotations

from collections.abc import Iterable

from probes import host_facts
from probes.model import Exhibit, Session, Text
from probes.tables import exhibit

_MOMENTS = """
select 'the server was started' as what, pg_postmaster_start_time() as at
union all
select 'the configuration was loaded', pg_conf_load_time()
union all
select 'statistics were reset', max(stats_reset) from pg_stat_database
order by at desc nulls last
"""

# A connection string or command may hold a password.
_BY_HAND = """
select name, setting, unit, boot_val as built_in,
       case when pending_restart then 'waits for a restart' else '' end as state
from pg_settings
where (pending_restart or sourcefile like '%postgresql.auto.conf')
  and name !~ '(conninfo|command|passphrase)'
order by pending_restart desc, name
limit 30
"""


def lately(session: Session) -> Iterable[Exhibit]:
    """The last moments of change, what ALTER SYSTEM set, what waits for a restart, the log."""
    yield exhibit(
        Text("Perubahan terakhir pada server", "Last changes on the server"),
        session.rows(_MOMENTS),
    )
    yield exhibit(
        Text(
            "Setelan dari ALTER SYSTEM atau yang menunggu restart",
            "Settings by ALTER SYSTEM, or waiting for a restart",
        ),
        session.rows(_BY_HAND),
    )
    yield from host_facts.last_words(session)
