"""Replicas that read this server's binary log, by name, so that a missing one is noticed.

A replica's name is the address it connects from. SHOW REPLICAS has the replicas' own names, but
needs REPLICATION SLAVE, the right to read every change: too much for a monitor. MySQL shows a
replica's server_uuid with its session, so a replica that moves to another address keeps its name;
MariaDB does not. Sources: MySQL 8.4 manual, "The threads Table", "The user_variables_by_thread
Table"; MariaDB, SHOW PROCESSLIST.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import count

from probes.i18n.headings import headings
from probes.model import (
    Exhibit,
    FailureKind,
    KeptKey,
    Measure,
    Measurement,
    Probe,
    ProbeError,
    Row,
    Session,
    Text,
)
from probes.mysql.ask import is_on, variables
from probes.mysql.grants import INSTRUMENTS, PROCESS, SIGHT

_NAMES = KeptKey[dict[str, str]]("names", dict)
"""The name of each replica that was ever seen, by uuid."""

_READERS = {
    # mysqlbinlog reads the log as well, but has no uuid to say.
    "mysql": """
SELECT t.PROCESSLIST_ID AS id, t.PROCESSLIST_USER AS user, t.PROCESSLIST_HOST AS host,
       t.PROCESSLIST_TIME AS seconds, t.PROCESSLIST_STATE AS state,
       max(CAST(v.VARIABLE_VALUE AS CHAR)) AS uuid
FROM performance_schema.threads t
JOIN performance_schema.user_variables_by_thread v
  ON v.THREAD_ID = t.THREAD_ID AND v.VARIABLE_NAME IN ('replica_uuid', 'slave_uuid')
WHERE t.PROCESSLIST_COMMAND IN ('Binlog Dump', 'Binlog Dump GTID')
GROUP BY 1, 2, 3, 4, 5 ORDER BY 1 LIMIT 200""",
    "mariadb": f"""
SELECT ID AS id, USER AS user, HOST AS host, TIME AS seconds, STATE AS state, '' AS uuid
FROM information_schema.PROCESSLIST WHERE COMMAND = 'Binlog Dump' AND {SIGHT} >= 0
ORDER BY ID LIMIT 200""",  # noqa: S608 - a constant of ours
}


def read(session: Session) -> Iterator[Measurement]:
    """One measurement for each connected replica; raises ``ProbeError(BLIND)``."""
    found = _readers(session)
    known = session.memory.get(_NAMES) or {}
    names = named(found, known)
    away = {uuid: name for uuid, name in known.items() if name not in names}
    session.memory.set(_NAMES, away | _by_uuid(found, names))
    for name, row in zip(names, found, strict=True):
        yield Measurement("replica_connected", 1.0, name, {"account": row["user"]})


def named(found: Sequence[Row], known: Mapping[str, str]) -> list[str]:
    """A name for each of the sessions; ``known``: names by uuid, as given before.

    The second one from an address gets a number. A replica that returns with a new uuid (rebuilt
    from a copy) to the address of a missing one gets its name.
    """
    names = [known.get(str(row["uuid"])) if row["uuid"] else None for row in found]
    taken = {name for name in names if name}
    given: list[str] = []
    for row, name in zip(found, names, strict=True):
        if not name:
            name = next(each for each in _choices(address(row)) if each not in taken)
            taken.add(name)
        given.append(name)
    return given


def _choices(first: str) -> Iterator[str]:
    yield first
    for number in count(2):
        yield f"{first}#{number}"


def address(row: Row) -> str:
    """The address of a session, without the port."""
    host, _, port = str(row["host"] or "").rpartition(":")
    return host if host and port.isdigit() else str(row["host"] or "?")


def _by_uuid(found: Sequence[Row], names: Sequence[str]) -> dict[str, str]:
    return {str(row["uuid"]): name for row, name in zip(found, names, strict=True) if row["uuid"]}


def _readers(session: Session) -> list[Row]:
    found = session.rows(_READERS[session.flavour])
    if found or session.flavour != "mysql":
        return found
    if not is_on(variables(session, "performance_schema"), "performance_schema"):
        raise ProbeError(
            FailureKind.BLIND,
            Text("performance_schema is off: who reads the binary log cannot be seen"),
            Text("Set performance_schema=ON in my.cnf and restart the server."),
        )
    return found


def exhibits(session: Session) -> Iterable[Exhibit]:
    """All sessions that read the binary log now."""
    columns = ("id", "user", "host", "uuid", "seconds", "state")
    found = _readers(session)
    yield Exhibit(
        Text("Readers of this server's binary log"),
        headings(*columns),
        tuple(tuple(str(row[column]) for column in columns) for row in found),
        note="" if found else Text("nobody reads it"),
    )


PROBE = Probe(
    name="replicas",
    engine="mysql",
    question=Text("Which replicas read this server's binary log?"),
    measures=(
        Measure("replica_connected", "", "1 while this replica reads the binary log.", "replica"),
    ),
    # A missing replica is not visible here; the membership probe reports learned or declared ones.
    thresholds=(),
    read=read,
    # Learning takes ten minutes and a replica's own target reports it; once a minute is enough.
    every=60.0,
    exhibits=exhibits,
    grants=(
        *(each for each in PROCESS if each.flavour == "mariadb"),
        *(each for each in INSTRUMENTS if "performance_schema" in each.sql),
    ),
    runbook=Text(
        "1. Does that replica run, and what does replication_lag say there? 2. The network and the "
        "replication account between. 3. How long the binary logs it needs are still kept "
        "(binlogs). 4. If it was retired: `sigap learn TARGET --forget standby/NAME`."
    ),
)
