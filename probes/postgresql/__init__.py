"""Engine for PostgreSQL: login, account, and one file per probe."""

from __future__ import annotations

from probes.model import Grant, Text
from probes.postgresql.connection.connect import FLAVOUR, open_session
from probes.postgresql.grants import CANARY, PG_MONITOR, RESERVED_CONNECTIONS, identifier
from probes.postgresql.lately import lately
from probes.words.engine import Engine, Script

ENGINE = Engine(
    name="postgresql",
    title="PostgreSQL",
    default_port=5432,
    flavours=(FLAVOUR,),
    open=open_session,
    schemes=("postgresql", "postgres"),
    base_grants=(
        Grant(
            "CREATE ROLE {user} LOGIN CONNECTION LIMIT 5",
            FLAVOUR,
            Text(
                "the agent's own account: at most three sessions, and room for `sigap try`; set "
                "its password with \\password in psql"
            ),
        ),
        PG_MONITOR,
        RESERVED_CONNECTIONS,
    ),
    options={"canary": CANARY},
    script=Script(account=identifier),
    lately=lately,
)
