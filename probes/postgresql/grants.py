"""The one right Sigap asks of PostgreSQL beyond logging in."""

from __future__ import annotations

from probes.model import FailureKind, Grant, ProbeError, Row, Text

PG_MONITOR = Grant(
    "GRANT pg_monitor TO {user}",
    "postgresql",
    "statistics, settings and sessions of everybody, read only; never superuser",
)

SEES_EVERYBODY = "pg_has_role(current_user, 'pg_read_all_stats', 'USAGE')"
"""SQL that says whether this account sees other accounts' sessions.

Without that right the statistics views do not fail: they show empty columns, which would read as
"nobody waits" (PostgreSQL manual, predefined roles).
"""


def require_sight(row: Row) -> None:
    """Raise ``ProbeError(BLIND)`` unless the column ``sees_everybody`` is true."""
    if row["sees_everybody"]:
        return
    user = row["account"]
    raise ProbeError(
        FailureKind.BLIND,
        f"account {user} cannot see other sessions: pg_read_all_stats is missing",
        Text(
            f"Jalankan: GRANT pg_monitor TO {user};",
            f"Run: GRANT pg_monitor TO {user};",
        ),
    )
