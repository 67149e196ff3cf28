"""Fresh login to PostgreSQL; see ``probes.templates.login``."""

from __future__ import annotations

from functools import partial

from probes.model import Probe, Text
from probes.postgresql.capacity import connections
from probes.templates import login as logins

PROBE = Probe(
    name="login",
    engine="postgresql",
    question=logins.QUESTION,
    measures=logins.MEASURES,
    thresholds=logins.thresholds(
        Text(
            "Usually DNS, an authentication server (LDAP) or a saturated CPU: see the "
            "phases of the login."
        )
    ),
    read=partial(logins.attempt, question="select pg_is_in_recovery()"),
    every=logins.EVERY_SECONDS,
    exhibits=logins.beside(connections.exhibits),
    sooner_in_doubt=True,
    runbook=Text(
        "1. The number of connections and max_connections. 2. pg_hba.conf: who changed it, when "
        "it was reloaded. 3. The monitoring account: password, expiry, NOLOGIN. 4. The "
        "authentication server (LDAP, PAM), DNS and certificates. 5. CPU load: a login starts a "
        "process."
    ),
)
