"""Fresh login to MySQL or MariaDB; see ``probes.templates.login``."""

from __future__ import annotations

from functools import partial

from probes.model import Probe, Text
from probes.mysql.capacity import connections
from probes.templates import login as logins

PROBE = Probe(
    name="login",
    engine="mysql",
    question=logins.QUESTION,
    measures=logins.MEASURES,
    thresholds=logins.thresholds(
        Text(
            "Check the server's load, the connection queue (Threads_running) and its name "
            "lookups (skip_name_resolve)."
        )
    ),
    read=partial(logins.attempt, question="SELECT @@global.read_only"),
    every=logins.EVERY_SECONDS,
    exhibits=logins.beside(connections.exhibits),
    sooner_in_doubt=True,
    runbook=Text(
        "1. Connection slots: `SHOW PROCESSLIST`, max_connections. 2. The monitoring account: "
        "locked, password expired, limited? 3. host_cache and skip_name_resolve. 4. The error "
        "log. 5. The server's load: thread_cache_size, Threads_running."
    ),
)
