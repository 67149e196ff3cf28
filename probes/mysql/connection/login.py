"""Fresh login to MySQL or MariaDB; see ``probes.templates.login``."""

from __future__ import annotations

from probes.model import Text
from probes.mysql.capacity import connections
from probes.templates import login as logins

PROBE = logins.probe(
    "mysql",
    "SELECT @@global.read_only",
    when_slow=Text(
        "Check the server's load, the connection queue (Threads_running) and its name "
        "lookups (skip_name_resolve)."
    ),
    holders=connections.exhibits,
    runbook=Text(
        "1. Connection slots: `SHOW PROCESSLIST`, max_connections. 2. The monitoring account: "
        "locked, password expired, limited? 3. host_cache and skip_name_resolve. 4. The error "
        "log. 5. The server's load: thread_cache_size, Threads_running."
    ),
)
