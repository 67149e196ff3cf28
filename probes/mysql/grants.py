"""The rights the monitoring account needs, by flavour, and the statement that grants a missing one.

Never SUPER, never SELECT on data. MariaDB 10.5 split REPLICATION CLIENT into BINLOG MONITOR and
(10.5.9) SLAVE MONITOR; see each server's manual under GRANT.
"""

from __future__ import annotations

import re

from probes.model import Grant, Text
from probes.words.engine import NoAccountName

_ACCOUNT_WHY = Text("an account of its own, which can never take more than five connections")
_ACCOUNT = "CREATE USER IF NOT EXISTS {user} IDENTIFIED BY 'CHANGE-ME' WITH MAX_USER_CONNECTIONS 5"

BASE: tuple[Grant, ...] = (
    Grant(_ACCOUNT, "mysql", _ACCOUNT_WHY),
    Grant(_ACCOUNT, "mariadb", _ACCOUNT_WHY),
)

PROCESS: tuple[Grant, ...] = tuple(
    Grant(
        "GRANT PROCESS ON *.* TO {user}",
        flavour,
        Text("see the sessions and transactions of others; without it only one's own are shown"),
    )
    for flavour in ("mysql", "mariadb")
)
_REPLICATION_CLIENT = Grant(
    "GRANT REPLICATION CLIENT ON *.* TO {user}",
    "mysql",
    Text("read the state of replication"),
)
CHANNELS: tuple[Grant, ...] = (
    _REPLICATION_CLIENT,
    Grant(
        "GRANT SLAVE MONITOR ON *.* TO {user}",
        "mariadb",
        Text("read the state of a replica"),
    ),
)
BINLOGS: tuple[Grant, ...] = (
    _REPLICATION_CLIENT,
    Grant(
        "GRANT BINLOG MONITOR ON *.* TO {user}",
        "mariadb",
        Text("read a primary's binlog position"),
    ),
)
INSTRUMENTS: tuple[Grant, ...] = (
    Grant(
        "GRANT SELECT ON performance_schema.* TO {user}",
        "mysql",
        Text("see who waits for whose lock (data_lock_waits, metadata_locks)"),
    ),
    Grant(
        "GRANT SELECT ON sys.* TO {user}",
        "mysql",
        Text("the server's own reports, for a person"),
    ),
)
TRANSACTIONS = PROCESS + tuple(each for each in INSTRUMENTS if "performance_schema" in each.sql)
"""What showing open transactions with their sessions needs."""

SIGHT = "(SELECT count(*) FROM information_schema.INNODB_CMP)"
"""SQL for a number that only an account with PROCESS gets; others get error 1227.

For the views that do not refuse: without PROCESS the list of sessions shows only one's own, which
would read as "no other sessions". INNODB_CMP is five rows from memory.
"""

_PRIVILEGES = (
    "PROCESS",
    "SLAVE MONITOR",
    "BINLOG MONITOR",
    "REPLICATION CLIENT",
    "REPLICATION SLAVE",
)


def account(name: str) -> str:
    """``sigap`` or ``sigap@host`` in the form these lines take; raises ``NoAccountName``."""
    if "'" in name or "\\" in name:
        raise NoAccountName(
            Text(
                "'{name}' cannot be an account's name; leave out quotes and backslashes", name=name
            )
        )
    user, _, host = name.partition("@")
    return f"'{user}'@'{host or 'localhost'}'"


def quoted(account: str) -> str:
    """``sigap@localhost``, as CURRENT_USER() says it, in the form a GRANT takes."""
    user, _, host = account.rpartition("@")
    return f"'{user}'@'{host}'" if user else f"'{account}'"


def missing(message: str, account: str) -> str:
    """The statement that grants what a refused query needs.

    ``message`` is the server's own: error 1227 names the privileges that would be enough (the least
    of them is used), 1142 and 1143 name a table, which here is always a performance_schema or sys
    table.
    """
    named = re.findall(r"[A-Z]+(?: [A-Z]+)*", message)
    for privilege in _PRIVILEGES:
        if privilege in named:
            return f"GRANT {privilege} ON *.* TO {quoted(account)};"
    return f"GRANT SELECT ON performance_schema.* TO {quoted(account)};"
