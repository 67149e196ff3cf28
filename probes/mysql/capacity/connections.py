"""Connections as a share of the server's limit and of one account's limit.

At the limit new logins fail with 1040 or 1226 while existing sessions work. The account with most
sessions is named; refusals between two readings are counted even when the peak is over.
Sources: status Threads_connected, Connection_errors_max_connections; max_connections (one more is
reserved for an administrator), max_user_connections.
"""

from __future__ import annotations

from collections.abc import Iterator

from probes.i18n.headings import headings
from probes.model import Exhibit, Measure, Measurement, Probe, Row, Session, Text, Threshold
from probes.mysql.ask import counted, growth, number, status, variables
from probes.mysql.grants import SIGHT, TRANSACTIONS

_TOP = 20
_BY_ACCOUNT = {
    # the list in INFORMATION_SCHEMA takes MySQL's lock over all sessions, threads does not
    "mysql": """
SELECT PROCESSLIST_USER AS user, substring_index(PROCESSLIST_HOST, ':', 1) AS host,
       count(*) AS sessions, sum(PROCESSLIST_COMMAND = 'Sleep') AS idle,
       max(CASE WHEN PROCESSLIST_COMMAND = 'Sleep' THEN PROCESSLIST_TIME END) AS idle_for
FROM performance_schema.threads WHERE TYPE = 'FOREGROUND' AND PROCESSLIST_USER IS NOT NULL
GROUP BY 1, 2 ORDER BY 3 DESC LIMIT %s""",
    # SIGHT: this list does not refuse, it shows an account without PROCESS itself only
    "mariadb": f"""
SELECT USER AS user, substring_index(HOST, ':', 1) AS host, count(*) AS sessions,
       sum(COMMAND = 'Sleep') AS idle, max(CASE WHEN COMMAND = 'Sleep' THEN TIME END) AS idle_for
FROM information_schema.PROCESSLIST WHERE USER NOT IN ('system user', 'event_scheduler')
  AND {SIGHT} >= 0
GROUP BY 1, 2 ORDER BY 3 DESC LIMIT %s""",  # noqa: S608 - a constant of ours
}


def read(session: Session) -> Iterator[Measurement]:
    """Used and possible connections, the fullest account, and logins refused since last time."""
    found = status(
        session, "Threads_connected", "Threads_running", "Connection_errors_max_connections",
        "Uptime",
    )  # fmt: skip
    limits = variables(session, "max_connections", "max_user_connections")
    used, most = number(found, "Threads_connected"), number(limits, "max_connections")
    if used is None or not most:
        return
    top = _by_account(session)
    who = told(top)
    yield Measurement("connections", used)
    yield Measurement("connections_limit", most)
    yield Measurement("connections_used_ratio", used / most, detail={"top": who, "used": int(used)})
    if running := number(found, "Threads_running"):
        yield Measurement("running_sessions", running)
    per_account = number(limits, "max_user_connections")
    if per_account and top:
        fullest = fullest_account(top)
        yield Measurement(
            "account_connections_used_ratio",
            fullest[1] / per_account,
            detail={"account": fullest[0], "used": fullest[1], "most": int(per_account)},
        )
    grown, _ = growth(session, counted(found))
    refused = grown.get("connection_errors_max_connections")
    if refused is not None:
        yield Measurement("refused_logins", refused, detail={"top": who})


def _by_account(session: Session) -> list[Row]:
    return session.rows(_BY_ACCOUNT[session.flavour], (_TOP,))


def fullest_account(rows: list[Row]) -> tuple[str, int]:
    """The account with most sessions over all its hosts."""
    sums: dict[str, int] = {}
    for row in rows:
        name = str(row["user"])
        sums[name] = sums.get(name, 0) + int(row["sessions"])
    return max(sums.items(), key=lambda each: (each[1], each[0]))


def told(rows: list[Row]) -> Text:
    """The account with most sessions, in words, for a title."""
    if not rows:
        return Text("")
    first = rows[0]
    account = f"{first['user']}@{first['host']}"
    return Text(
        "; most by {account}: {sessions}, {first} of them idle",
        account=account,
        sessions=first["sessions"],
        first=int(first["idle"] or 0),
    )


def exhibits(session: Session) -> Iterator[Exhibit]:
    """Sessions by account and host, how many of them sleep, and for how long the longest."""
    rows = tuple(
        (
            str(row["user"]),
            str(row["host"]),
            str(row["sessions"]),
            str(int(row["idle"] or 0)),
            "-" if row["idle_for"] is None else str(int(row["idle_for"])),
        )
        for row in _by_account(session)
    )
    yield Exhibit(
        Text("Sessions by account"),
        headings("account", "host", "sessions", "idle", "idle seconds"),
        rows,
        note=Text("the first {n}", n=_TOP) if len(rows) == _TOP else "",
    )


_HINT = Text(
    "Look for an application that does not give connections back (a leaking pool) or sessions "
    "that wait for a lock; raising max_connections only postpones it."
)

PROBE = Probe(
    name="connections",
    engine="mysql",
    question=Text("How near are the server and its accounts to the limit of connections?"),
    measures=(
        Measure("connections", "", "Sessions open now"),
        Measure("connections_limit", "", "Sessions the server allows (max_connections)"),
        Measure("connections_used_ratio", "ratio", "Open sessions over the allowed ones"),
        Measure("running_sessions", "", "Sessions that run a statement now"),
        Measure(
            "account_connections_used_ratio",
            "ratio",
            "Sessions of the fullest account over max_user_connections, where that is set",
        ),
        Measure("refused_logins", "", "Logins refused for lack of a slot since the last reading"),
    ),
    thresholds=(
        Threshold(
            measure="connections_used_ratio",
            title=Text("{target}: {value} of its connections are taken ({used}){top}"),
            headline=Text("{target}: its connections are running out"),
            hint=_HINT,
            family="connections",
            # 80 % is the common warning; at 90 % the next deployment fails
            warning=0.8,
            critical=0.9,
            raise_after=2,
            clear_margin=0.1,
        ),
        Threshold(
            measure="account_connections_used_ratio",
            title=Text("{target}: account {account} uses {used} of its {most} allowed connections"),
            headline=Text(
                "{target}: account {account} has nearly reached its limit of connections"
            ),
            hint=_HINT,
            family="connections",
            warning=0.9,
            critical=1.0,
            raise_after=2,
        ),
        Threshold(
            measure="refused_logins",
            title=Text(
                "{target} refused {value} {value:login|logins} for lack of a connection slot{top}"
            ),
            headline=Text("{target} refused logins for lack of a connection slot"),
            hint=_HINT,
            family="connections",
            warning=1.0,
            clear_after=4,  # a peak between two readings is over when reported: keep it visible
        ),
    ),
    read=read,
    exhibits=exhibits,
    grants=TRANSACTIONS,
    runbook=Text(
        "1. `SHOW PROCESSLIST`: waiting for locks, or idle? 2. Waiting: see blocked_sessions. 3. "
        "Idle: whose pool? Reach its owner. 4. Emergency: in by extra_port / admin_address, KILL "
        "by a person."
    ),
)
