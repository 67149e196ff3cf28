"""Fresh login to PgBouncer; see ``probes.templates.login``.

If the target's url names a database, the login goes through its pool and runs one query, as an
application does, so it has also waited for a server connection.
"""

from __future__ import annotations

from probes.model import Text
from probes.pgbouncer import clients
from probes.pgbouncer.connect import FOR_BOTH
from probes.templates import login as logins

PROBE = logins.probe(
    "pgbouncer",
    FOR_BOTH,
    when_slow=Text(
        "Usually a full pool, an authentication server, or a PgBouncer that uses a whole core: "
        "see the phases of the login."
    ),
    holders=clients.exhibits,
    family="pooler",
    phase="server",
    runbook=Text(
        "1. max_client_conn and SHOW LISTS. 2. A forgotten PAUSE, DISABLE or SUSPEND: SHOW "
        "DATABASES. 3. A full pool: SHOW POOLS. 4. The PostgreSQL behind it. 5. auth_file, "
        "auth_query and stats_users."
    ),
)
