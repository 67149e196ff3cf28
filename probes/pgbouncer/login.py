"""Fresh login to PgBouncer; see ``probes.templates.login``.

If the target's url names a database, the login goes through its pool and runs one query, as an
application does, so it has also waited for a server connection.
"""

from __future__ import annotations

from functools import partial

from probes.model import Probe, Text
from probes.pgbouncer import clients
from probes.pgbouncer.connect import FOR_BOTH
from probes.templates import login as logins

PROBE = Probe(
    name="login",
    engine="pgbouncer",
    question=logins.QUESTION,
    measures=logins.MEASURES,
    thresholds=logins.thresholds(
        Text(
            "Usually a full pool, an authentication server, or a PgBouncer that uses a whole core: "
            "see the phases of the login."
        ),
        family="pooler",
    ),
    read=partial(logins.attempt, question=FOR_BOTH, phase="server"),
    every=logins.EVERY_SECONDS,
    exhibits=logins.beside(clients.exhibits),
    sooner_in_doubt=True,
    runbook=Text(
        "1. max_client_conn and SHOW LISTS. 2. A forgotten PAUSE, DISABLE or SUSPEND: SHOW "
        "DATABASES. 3. A full pool: SHOW POOLS. 4. The PostgreSQL behind it. 5. auth_file, "
        "auth_query and stats_users."
    ),
)
