"""Sessions that wait for a lock, for how long, and the root blocker.

The root is reported because ending waiters does not help, and it is usually a session that does
nothing. Covers row locks and metadata locks; only a cheap count while nobody waits. An inferred
root (MariaDB's metadata locks) is called suspected. Sigap shows the command a person may run and
never runs it.
"""

from __future__ import annotations

from collections.abc import Iterator

from probes.i18n.formats import duration
from probes.i18n.headings import headings
from probes.model import (
    NOTHING_SAID,
    Exhibit,
    Measure,
    Measurement,
    Probe,
    Session,
    Text,
    Threshold,
    Words,
)
from probes.mysql.grants import INSTRUMENTS, PROCESS
from probes.mysql.locks import sessionless, sleeping
from probes.mysql.locks.blocking import UNSEEN, Node, Picture, RootBlocker, roots, tree
from probes.mysql.locks.waits import count, look
from probes.words.tables import TRUNCATED, remarks

_COLUMNS = headings(
    "session", "account", "database", "state", "waits for", "waiting s", "transaction s",
    "statement", "a person might run",
)  # fmt: skip


def read(session: Session) -> Iterator[Measurement]:
    """Waiters now and the longest wait; with the root blocker's facts when there are any."""
    waiting, longest = count(session)
    detail: dict[str, object] = {}
    if waiting:
        found = roots(look(session))
        detail["advice"] = advice(found[0] if found else None, session.flavour)
        if found:
            detail |= facts(found[0], others=len(found) - 1)
    yield Measurement("blocked_sessions", float(waiting), detail=detail)
    yield Measurement("blocked_seconds", longest, detail=detail)


def facts(root: RootBlocker, others: int) -> dict[str, object]:
    """The root blocker for a title (``cause``, a whole clause) and as single values."""
    node = root.node
    return {
        "cause": cause(root, others),
        "held_by": Text("; held by {who}", who=named(node)),
        "blocker": named(node),
        "blocker_id": node.connection,
        "user": node.user,
        "host": node.host,
        "state": state(node),
        "transaction_seconds": node.transaction_seconds,
        "victims": root.victims,
        "table": root.table,
        "suspected": root.suspected,
        "command": command(node),
    }


def cause(root: RootBlocker, others: int) -> Text:
    """Which session blocks, since when, on which object; ``others`` counts further roots."""
    node = root.node
    doing = state(node)
    if node.transaction_seconds is not None:
        doing = Text("{doing} for {age}", doing=doing, age=duration(node.transaction_seconds))
    clause = Text("; {certainty}{blocker}{doing} holds {victims} of them{table}{more}")
    return clause.format(
        certainty=Text("suspected: ") if root.suspected else NOTHING_SAID,
        blocker=named(node),
        # that it cannot be seen is its name already
        doing=NOTHING_SAID if node.key == UNSEEN else Text(", {doing},", doing=doing),
        victims=root.victims,
        table=Text(" on {table}", table=root.table) if root.table else NOTHING_SAID,
        more=Text(" (and {others} more blockers)", others=others) if others else NOTHING_SAID,
    )


def named(node: Node) -> Text:
    """The blocker in words."""
    if node.key == UNSEEN:
        return Text("a session that cannot be seen (LOCK TABLES, FLUSH TABLES or a backup)")
    if node.thread:
        return Text("a thread of the server's own ({thread_name})", thread_name=node.thread_name)
    if not node.connection:
        return sessionless.named(node.transaction, node.undone)
    account = f"{node.user}@{node.host}" if node.user else "?"
    return Text("session {connection} ({account})", connection=node.connection, account=account)


def state(node: Node) -> Text:
    """What the blocker does; "idle in transaction" is the usual culprit."""
    if node.waiting_seconds is not None:
        return Text("waiting too, not followed further")
    if node.command == "Sleep":
        return Text("idle in transaction")
    if node.key == UNSEEN:
        return Text("not visible")
    if node.undone:
        return Text("rolling back")
    if not node.connection and not node.thread:
        return Text("awaiting XA COMMIT or ROLLBACK")
    said = node.state or node.command or node.thread_name or "?"
    return Text("working: {said}", said=said)


def command(node: Node) -> str:
    """The command a person may run to release the waiters; Sigap never runs it."""
    if node.connection:
        return f"KILL {node.connection}"
    if node.thread:  # it cannot be ended, only watched
        return "SHOW ENGINE INNODB STATUS"
    return "SHOW PROCESSLIST" if node.key == UNSEEN else sessionless.command(node.undone)


_REACH = Text(
    "Reach the owner of the blocking session. If agreed, a person runs: `{command}`; do not kill "
    "those that wait."
)
_MAKE_SURE = Text(
    "That {blocker} holds them is only suspected (its transaction is the oldest): make sure first. "
    "{find} If it is the one and its owner agrees, a person runs: `{command}`; do not kill those "
    "that wait."
)
_FIND = Text(
    "Look for a session that sleeps long with an open transaction or a global lock (FLUSH TABLES "
    "WITH READ LOCK, LOCK TABLES, a backup): see the sessions that have slept longest in the "
    "evidence. {show}"
)
# Seen on MariaDB 10.11: INSTALL SONAME writes to mysql.plugin, and waits for a global read lock.
_SHOW = {
    "mariadb": Text(
        "`INSTALL SONAME 'metadata_lock_info'` shows who holds locks (SELECT * FROM "
        "information_schema.METADATA_LOCK_INFO); install it before there is trouble, for while a "
        "global lock is held that command waits too."
    ),
    "mysql": Text(
        "performance_schema = ON (needs a restart), with the instrument "
        "wait/lock/metadata/sql/mdl, shows who holds locks."
    ),
}


def advice(root: RootBlocker | None, flavour: str) -> Text:
    """Whom to contact; if the blocker is not certain, first how to find it."""
    find = _FIND.format(show=_SHOW[flavour])
    if root is None or root.node.key == UNSEEN:
        return find
    if not root.suspected:
        return _REACH.format(command=command(root.node))
    return _MAKE_SURE.format(blocker=named(root.node), find=find, command=command(root.node))


def exhibits(session: Session) -> Iterator[Exhibit]:
    """The blocking tree: roots first, waiters indented below them, literals redacted.

    If a blocker is only suspected or cannot be seen, the sessions that have slept longest are
    added.
    """
    picture = look(session)
    yield drawn(picture)
    if any(edge.suspected for edge in picture.edges):
        yield sleeping.longest(session)


_SUSPECTED = Text(
    "'?': suspected, being the oldest transaction; this server does not show metadata locks"
)


def drawn(picture: Picture) -> Exhibit:
    """The tree as a table."""
    heads = {root.node.key for root in roots(picture)}
    rows = tuple(_line(*each, is_root=each[1].key in heads) for each in tree(picture))
    notes: list[Text] = []
    if picture.expanded < picture.waiting:
        notes.append(TRUNCATED.format(shown=picture.expanded, all=picture.waiting))
    if any(edge.suspected for edge in picture.edges):
        notes.append(_SUSPECTED)
    return Exhibit(Text("Blocking tree"), _COLUMNS, rows, note=remarks(*notes))


def _line(depth: int, node: Node, suspected: bool, *, is_root: bool) -> tuple[Words, ...]:
    who = str(node.connection) if node.connection else node.key
    waits = node.waiting_seconds is not None
    return (
        "  " * depth + ("└ " if depth else "") + who + (" ?" if suspected else ""),
        f"{node.user}@{node.host}" if node.user else named(node),
        node.database,
        (node.state or "LOCK WAIT") if waits else state(node),
        f"{node.waits_for} {node.table}".strip(),
        _whole(node.waiting_seconds),
        _whole(node.transaction_seconds),
        node.statement,
        command(node) if is_root else "",
    )


def _whole(seconds: float | None) -> str:
    return "" if seconds is None else f"{seconds:.0f}"


PROBE = Probe(
    name="blocked_sessions",
    engine="mysql",
    question=Text("How many sessions wait for a lock, for how long, and who holds it?"),
    measures=(
        Measure("blocked_sessions", "", "Sessions waiting for a row lock or a metadata lock"),
        Measure("blocked_seconds", "seconds", "How long the longest of them has been waiting"),
    ),
    thresholds=(
        Threshold(
            measure="blocked_sessions",
            title=Text("{target}: {value} {value:session waits|sessions wait} for a lock{cause}"),
            headline=Text("{target}: many sessions wait for a lock{held_by}"),
            hint=Text("{advice}"),
            family="locks",
            warning=10.0,
            critical=25.0,
            raise_after=2,
        ),
        Threshold(
            measure="blocked_seconds",
            title=Text("{target}: a session has waited {value} for a lock{cause}"),
            headline=Text("{target}: sessions wait for a lock{held_by}"),
            hint=Text("{advice}"),
            family="locks",
            # one and two minutes, as check_postgres' lock wait; InnoDB itself gives up at 50 s
            # by default, so on row locks the warning is what most servers will ever show
            warning=30.0,
            critical=120.0,
        ),
    ),
    read=read,
    exhibits=exhibits,
    grants=PROCESS + INSTRUMENTS,
    runbook=Text(
        "1. Read the blocking tree: the top one holds everybody. 2. Idle in transaction? Reach "
        "its application. 3. A waiting ALTER or backup? It holds all behind it: cancel that "
        "first. 4. KILL only by a person, at the root, with the evidence saved."
    ),
)
