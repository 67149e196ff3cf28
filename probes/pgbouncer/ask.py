"""Answers of the admin console, read once a round, by column name.

Columns come and go between 1.18 and 1.26 (``reserve_pool`` is ``reserve_pool_size`` since 1.24), so
an absent name is None, never 0. The console's own pool is left out.
Source: PgBouncer manual, "Show commands".
"""

from __future__ import annotations

from probes.model import FailureKind, MemoryKey, ProbeError, Row, Session

_ANSWERS = MemoryKey[dict[str, list[Row]]]("answers by what was shown")
_STATELESS = MemoryKey[bool]("this version has no SHOW STATE")

CONSOLE = "pgbouncer"


def shown(session: Session, what: str) -> list[Row]:
    """The answer to ``SHOW what``, the same for every probe of this round."""
    answers = session.shared.round.of(_ANSWERS, {})
    if what in answers:
        return answers[what]
    answer = answers[what] = session.rows(f"SHOW {what}")
    return answer


def pools(session: Session) -> list[Row]:
    """The pools of applications: one for each database and user."""
    return [row for row in shown(session, "POOLS") if row["database"] != CONSOLE]


def databases(session: Session) -> dict[str, Row]:
    """Every database by name, without the console."""
    rows = shown(session, "DATABASES")
    return {str(row["name"]): row for row in rows if row["name"] != CONSOLE}


def users(session: Session) -> dict[str, Row]:
    """Every user PgBouncer knows, by name."""
    return {str(row["name"]): row for row in shown(session, "USERS")}


def setting(session: Session, name: str) -> int | None:
    """A number of SHOW CONFIG; None where this version has no such setting."""
    for row in shown(session, "CONFIG"):
        if row["key"] == name and str(row["value"]).isdigit():
            return int(row["value"])
    return None


def state(session: Session) -> dict[str, bool]:
    """``paused`` and ``suspended`` of the whole pooler; empty if the version does not show it."""
    if session.shared.login.get(_STATELESS):
        return {}
    try:
        rows = shown(session, "STATE")
    except ProbeError as error:
        if error.failure.kind is not FailureKind.BLIND:
            raise
        session.shared.login.set(_STATELESS, True)
        return {}
    return {str(row["key"]): row["value"] == "yes" for row in rows}


def number(row: Row, *names: str) -> int | None:
    """The first of these columns this version has, as a number; None for none and for empty."""
    for name in names:
        value = str(row.get(name, "") if row.get(name) is not None else "").strip()
        if value.lstrip("-").isdigit():
            return int(value)
    return None
