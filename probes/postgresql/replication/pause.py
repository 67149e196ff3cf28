"""Why replay is paused on a replica: by a person, or by the server itself.

A replica whose settings are lower than its primary's pauses replay to keep answering queries, and
shuts down when it is resumed. SQL shows both pauses alike; the server's log tells them apart.
Source: PostgreSQL manual, "Hot Standby", administrator's overview.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from probes.local import server_log
from probes.local.mounts import FailingError, StuckError
from probes.model import MemoryKey, ProbeError, Row, Session, Text
from probes.wire import deadline

_LOG_BYTES = 256 * 1024
_UNCERTAIN = "?"

_PAUSED = re.compile(
    r"hot standby is not possible because of insufficient parameter settings"
    r"[^\n]*\n[^\n]*DETAIL:\s+(?P<name>\w+) = (?P<here>\d+) is a lower setting than on the primary "
    r"server, where its value was (?P<there>\d+)"
    r"|recovery has paused[^\n]*\n[^\n]*HINT:\s+Execute (?P<person>pg_wal_replay_resume)\(\) to "
    r"continue"
)

_LEARNED = MemoryKey[tuple[object, str]]("why replay is paused, and at which position")

_SOMEBODY = Text("somebody ran pg_wal_replay_pause()")
_RESUME = Text("Ask who paused it (a backup?); to go on: `SELECT pg_wal_replay_resume();`")
_COMPARE = Text(
    "First compare max_connections, max_worker_processes, max_wal_senders, "
    "max_prepared_transactions and max_locks_per_transaction with the primary's: if one is lower "
    "here, the server paused by itself and shuts down when replay is resumed; raise it here and "
    "restart the replica. Otherwise ask who paused replay (a backup?) before it is resumed."
)
_ITSELF = Text("by PostgreSQL itself, since {setting} is {here} and the primary's is {there}")
_RAISE = Text(
    "On the replica: `ALTER SYSTEM SET {setting} = {there};`, or the same in its configuration "
    "file, then restart it. Do not resume replay before: the replica would shut down."
)

UNKNOWN: Mapping[str, Text] = {
    "reason": Text("it is not known by whom"),
    "advice": _COMPARE,
}


def why(session: Session, row: Row) -> Mapping[str, Text]:
    """``reason`` and ``advice`` for a pause, from the server's log if it can be read."""
    if not row["paused"]:
        session.memory.drop(_LEARNED)
        return UNKNOWN
    known = session.memory.get(_LEARNED)
    if known is None or known[0] != row["replayed"]:
        known = row["replayed"], _logged(session)
        if known[1]:
            session.memory.set(_LEARNED, known)
    return told(known[1])


def told(line: str) -> Mapping[str, Text]:
    """``reason`` and ``advice`` for the log's words about a pause; "" if they are not known."""
    found = _PAUSED.search(line)
    if found is None:
        return UNKNOWN
    if found["person"]:
        return {"reason": _SOMEBODY, "advice": _RESUME}
    setting, here, there = found["name"], found["here"], found["there"]
    return {
        "reason": _ITSELF.format(setting=setting, here=here, there=there),
        "advice": _RAISE.format(setting=setting, there=there),
    }


def last(words: str) -> str:
    """What a log says of its last pause; "" if it has none."""
    said = ""
    for found in _PAUSED.finditer(words):
        said = found[0]
    return said


def _logged(session: Session) -> str:
    if not session.target.host:
        return ""
    try:
        where = {**session.paths(), **session.target.volumes}.get("log", "")
        if not where:
            return ""
        _, found = server_log.newest(where, deadline.remaining() / 3, _wanted)
    except (StuckError, FailingError, OSError, ProbeError):
        return ""
    return found[0].removeprefix(_UNCERTAIN) if found else ""


def _wanted(path: str) -> list[str]:
    """The last pause of one file. A file not read whole ends the search: an older file could only
    tell of an earlier pause.
    """
    words = server_log.tail(path, _LOG_BYTES)
    said = last(words)
    if said:
        return [said]
    return [_UNCERTAIN] if len(words.encode()) >= _LOG_BYTES else []
