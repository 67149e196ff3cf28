"""Reads lock waits: a cheap count first, then at most fifty waiters of a kind.

A queue on one row is quadratic (200 waiters, 20,100 edges, 99 ms to fetch), so each waiter brings
only the two ends of its list of blockers, and the server does the counting. MariaDB shows no
metadata locks by default, and MySQL no locks at all with performance_schema off; there the oldest
running transaction is named as the suspect.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from probes.model import FailureKind, ProbeError, Row, Session
from probes.mysql.locks import sessionless
from probes.mysql.locks.blocking import UNSEEN, Edge, Node, Picture
from probes.mysql.locks.lock_queries import (
    AGES,
    INFORMATION_SCHEMA,
    METADATA_STATES,
    OLDEST_RUNNING,
    PERFORMANCE_SCHEMA,
    ROW_WAITERS,
    TRANSACTIONS,
    UNINSTRUMENTED,
    LockQueries,
    dialect,
)
from probes.mysql.redact import statement

_HOPS = 5
"""How often a blocker that waits itself, but is beyond the cap, is followed further up."""


def count(session: Session) -> tuple[int, float]:
    """How many sessions wait for a lock, and for how many seconds the longest.

    Raises ``ProbeError``: BLIND without PROCESS (INNODB_TRX refuses, while the list of sessions
    would silently show only one's own).
    """
    return _counted(session)[1:]


def _counted(session: Session) -> tuple[LockQueries, int, float]:
    """Whether to read details, the number of waiters, and the longest wait."""
    ask = dialect(session.flavour, session.version)
    found = session.rows(ask.count, (METADATA_STATES,))[0]
    instrumented = bool(int(found["instrumented"]))
    if ask is PERFORMANCE_SCHEMA and not instrumented:
        ask = UNINSTRUMENTED
        found = session.rows(ask.count, (METADATA_STATES,))[0]
    elif ask is INFORMATION_SCHEMA and instrumented:
        # MySQL 5.7 and MariaDB show the holders of metadata locks if configured to
        ask = replace(ask, granted=PERFORMANCE_SCHEMA.granted)
    waiting = int(found["row_waits"]) + int(found["metadata_waits"])
    longest = max(_seconds(found["row_seconds"]), _seconds(found["metadata_seconds"]))
    return ask, waiting, longest if waiting else 0.0


def look(session: Session) -> Picture:
    """Waiters, blockers and the edges between them."""
    ask, waiting, longest = _counted(session)
    nodes: dict[str, Node] = {}
    edges: list[Edge] = []
    _row_locks(session, ask, nodes, edges)
    _metadata_locks(session, ask, nodes, edges)
    _name_sessions(session, ask, nodes)
    return Picture(nodes, tuple(edges), waiting, longest)


def _row_locks(
    session: Session, ask: LockQueries, nodes: dict[str, Node], edges: list[Edge]
) -> None:
    rows = session.rows(ROW_WAITERS)
    if not rows:
        return
    tables = _locked_tables(session, ask, [row["lock_id"] for row in rows if row["lock_id"]])
    keys = {str(row["trx_id"]): _take(row, nodes, tables) for row in rows}
    if not ask.edges:
        suspect = _suspect(session, nodes, set(keys.values()))
        edges += (Edge(waiter, suspect, suspected=True) for waiter in set(keys.values()))
        return
    waiting = list(keys)
    for _ in range(_HOPS):
        pairs = _row_edges(session, ask, waiting)
        unknown = sorted(int(key) for key in {blocker for _, blocker, _ in pairs} - keys.keys())
        firsts = {blocker for _, blocker, first in pairs if first}
        followed = []
        found = session.rows(TRANSACTIONS, (unknown,)) if unknown else []
        for row in sessionless.told_apart(session, found, "trx_state"):
            transaction, waits = str(row["trx_id"]), row["trx_state"] == "LOCK WAIT"
            # one that only queues just ahead, beyond the cap, leads nowhere new
            if not waits or transaction in firsts:
                keys[transaction] = _take(row, nodes, {})
                followed += [transaction] if waits else []
        edges += (
            Edge(keys[waiter], keys[blocker])
            for waiter, blocker, _ in pairs
            if waiter in keys and blocker in keys
        )
        if not followed:
            return
        waiting = followed


def _take(row: Row, nodes: dict[str, Node], tables: dict[str, str]) -> str:
    """Add one transaction; one without a session is identified by its number."""
    connection = int(row["id"] or 0)
    key = str(connection) if connection else f"trx:{row['trx_id']}"
    waits = row["trx_state"] == "LOCK WAIT"
    nodes[key] = Node(
        key,
        connection,
        statement=statement(row["trx_query"]),
        transaction_seconds=_seconds(row["age"]),
        waiting_seconds=_seconds(row["waited"]) if waits else None,
        waits_for="row" if waits else "",
        table=tables.get(str(row["lock_id"]), "") if waits else "",
        transaction=str(row["trx_id"]),
        undone=not connection and sessionless.is_undone(row["trx_state"]),
    )
    return key


def _row_edges(
    session: Session, ask: LockQueries, waiting: list[str]
) -> list[tuple[str, str, bool]]:
    """Waiter and blocker, for both ends of each list; the mark says which is the first."""
    found = []
    for row in session.rows(ask.edges, ([int(each) for each in waiting],)):
        waiter, first, last = str(row["waiter"]), str(row["first"]), str(row["last"])
        found.append((waiter, first, True))
        if last != first:
            found.append((waiter, last, False))
    return found


def _locked_tables(session: Session, ask: LockQueries, locks: list[object]) -> dict[str, str]:
    """Lock id to ``schema.table`` for the waiters shown."""
    found = session.rows(ask.tables, (locks,)) if locks and ask.tables else []
    return {str(row["id"]): str(row["name"]).replace("`", "") for row in found}


def _metadata_locks(
    session: Session, ask: LockQueries, nodes: dict[str, Node], edges: list[Edge]
) -> None:
    rows = session.rows(ask.metadata, (METADATA_STATES,))
    if not rows:
        return
    for row in rows:
        key = str(row["id"])
        nodes[key] = Node(
            key,
            int(row["id"]),
            statement=statement(row["info"]),
            waiting_seconds=_seconds(row["seconds"]),
            waits_for="metadata",
        )
    found = _granted(session, nodes, ask.granted) if ask.granted else []
    edges += found
    explained = {edge.waiter for edge in found}
    without = [str(row["id"]) for row in rows if str(row["id"]) not in explained]
    if without:
        suspect = _suspect(session, nodes, without)
        edges += (Edge(waiter, suspect, suspected=True) for waiter in without)


def _granted(session: Session, nodes: dict[str, Node], sql: str) -> list[Edge]:
    """Metadata-lock edges if the server shows them."""
    found = []
    for row in _shown(session, sql):
        waiter, holder = str(row["waiter"]), _holder(row)
        if waiter not in nodes:
            continue
        nodes.setdefault(holder.key, holder)
        nodes[waiter] = replace(nodes[waiter], table=str(row["name"]))
        found.append(Edge(waiter, holder.key))
    return found


def _holder(row: Row) -> Node:
    """The holder of a metadata lock: a session, or a thread of the server's own."""
    if row["blocker"] is not None:
        return Node(str(row["blocker"]), int(row["blocker"]))
    thread = str(row["thread"])
    return Node(f"thread:{thread}", thread=thread, thread_name=str(row["thread_name"]))


def _shown(session: Session, sql: str) -> list[Row]:
    """The lock table, or nothing without the right to it; the root is then only suspected."""
    try:
        return session.rows(sql)
    except ProbeError as error:
        if error.failure.kind is FailureKind.BLIND and session.flavour == "mariadb":
            return []
        raise


def _suspect(session: Session, nodes: dict[str, Node], waiters: Iterable[str]) -> str:
    """The oldest running transaction begun before the longest wait; ``UNSEEN`` without one."""
    waiting = sorted(set(waiters))
    longest = max(_seconds(nodes[key].waiting_seconds) for key in waiting)
    rows = session.rows(OLDEST_RUNNING, ([int(key) for key in waiting],))
    # Both are whole seconds, cut off at different moments: one second of doubt is the clocks'.
    if not rows or _seconds(rows[0]["age"]) + 1 < longest:
        nodes.setdefault(UNSEEN, Node(UNSEEN))
        return UNSEEN
    return _take(rows[0], nodes, {})


def _name_sessions(session: Session, ask: LockQueries, nodes: dict[str, Node]) -> None:
    """Fill in the sessions' accounts and the age of their transactions; ended ones stay unnamed."""
    ids = [node.connection for node in nodes.values() if node.connection]
    for row in session.rows(ask.sessions, (ids,)) if ids else []:
        node = nodes[str(row["id"])]
        nodes[node.key] = replace(
            node,
            user=str(row["user"] or ""),
            host=str(row["host"] or ""),
            database=str(row["db"] or ""),
            command=str(row["command"] or ""),
            state=str(row["state"] or ""),
            statement=node.statement or statement(row["info"]),
        )
    ageless = [
        n.connection for n in nodes.values() if n.connection and n.transaction_seconds is None
    ]
    for row in session.rows(AGES, (ageless,)) if ageless else []:
        key = str(row["id"])
        nodes[key] = replace(nodes[key], transaction_seconds=_seconds(row["age"]))


def _seconds(value: object) -> float:
    return max(0.0, float(str(value))) if value is not None else 0.0
