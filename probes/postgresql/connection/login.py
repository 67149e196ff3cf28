"""Fresh login to PostgreSQL; see ``probes.templates.login``."""

from __future__ import annotations

from probes.model import Text
from probes.postgresql.capacity import connections
from probes.templates import login as logins

PROBE = logins.probe(
    "postgresql",
    "select pg_is_in_recovery()",
    when_slow=Text(
        "Usually DNS, an authentication server (LDAP) or a saturated CPU: see the "
        "phases of the login."
    ),
    holders=connections.exhibits,
    runbook=Text(
        "1. The number of connections and max_connections. 2. pg_hba.conf: who changed it, when "
        "it was reloaded. 3. The monitoring account: password, expiry, NOLOGIN. 4. The "
        "authentication server (LDAP, PAM), DNS and certificates. 5. CPU load: a login starts a "
        "process."
    ),
)
