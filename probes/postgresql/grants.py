"""Rights that Sigap needs on PostgreSQL beyond logging in, and the check for a missing one."""

from __future__ import annotations

from probes.model import FailureKind, Grant, ProbeError, Row, Text

PG_MONITOR = Grant(
    "GRANT pg_monitor TO {user}",
    "postgresql",
    Text("statistics, settings and sessions of everybody, read only; never superuser"),
)

RESERVED_CONNECTIONS = Grant(
    "DO $$ BEGIN IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'pg_use_reserved_connections') "
    "THEN GRANT pg_use_reserved_connections TO {user}; END IF; END $$",
    "postgresql",
    Text("lets Sigap in when the slots are full, where reserved_connections is set; 16 and later"),
)

CANARY = (
    Grant(
        "CREATE SCHEMA IF NOT EXISTS sigap AUTHORIZATION CURRENT_USER",
        "postgresql",
        Text(
            "room for the one table Sigap writes to; run this in the database of the target's url"
        ),
    ),
    Grant(
        "CREATE TABLE IF NOT EXISTS sigap.canary "
        "(id int PRIMARY KEY CHECK (id = 1), at timestamptz NOT NULL)",
        "postgresql",
        Text("one row: written to see whether commits end, read on replicas as a heartbeat"),
    ),
    Grant(
        "INSERT INTO sigap.canary VALUES (1, clock_timestamp()) ON CONFLICT DO NOTHING",
        "postgresql",
        Text("the row"),
    ),
    Grant(
        "GRANT USAGE ON SCHEMA sigap TO {user}",
        "postgresql",
        Text("to reach the table"),
    ),
    Grant(
        "GRANT SELECT, UPDATE ON sigap.canary TO {user}",
        "postgresql",
        Text("to write the row"),
    ),
)
"""Creates the write canary's table; without it the canary reports nothing."""

SEES_EVERYBODY = "pg_has_role(current_user, 'pg_read_all_stats', 'USAGE')"
"""SQL for whether this account sees other accounts' sessions.

Without that right the statistics views do not fail: they show empty columns, which would read as
"nobody waits" (PostgreSQL manual, predefined roles).
"""


def identifier(name: str) -> str:
    """A role's name as an SQL identifier, quoted if needed."""
    if name.isascii() and name.isidentifier() and name == name.lower():
        return name
    return '"' + name.replace('"', '""') + '"'


def require_sight(row: Row) -> None:
    """Raise ``ProbeError(BLIND)`` unless the column ``sees_everybody`` is true."""
    if row["sees_everybody"]:
        return
    user = row["account"]
    raise ProbeError(
        FailureKind.BLIND,
        Text("account {user} cannot see other sessions: pg_read_all_stats is missing", user=user),
        Text("Run: GRANT pg_monitor TO {user};", user=user),
    )
