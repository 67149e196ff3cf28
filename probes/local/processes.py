"""The processes of a server on this host, and which process listens on its address.

Never waits for an unreadable process; what could not be read is stated.
Source: proc(5) through psutil.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

import psutil

from probes.i18n.formats import instant
from probes.i18n.headings import headings
from probes.local.inspection import CANNOT_LOOK, SECONDS_PER_LOOK, seconds, why
from probes.local.mounts import SHARED, FailingError, StuckError
from probes.model import Exhibit, Target, Text, Words
from probes.wire import deadline
from probes.words.tables import remarks
from probes.words.units import written

SERVER_NAMES: Mapping[str, tuple[str, ...]] = {
    "postgresql": ("postgres", "postmaster"),
    "mysql": ("mariadbd", "mysqld"),
    "pgbouncer": ("pgbouncer",),
}
"""What the server's processes are called, by engine."""

_NAMED_BY_PORT = ("postgresql", "pgbouncer")
"""Engines whose Unix socket is a file named after the port, in the directory given as host."""

MOST_PROCESSES = 15

_STATES: Mapping[str, Text] = {
    psutil.STATUS_RUNNING: Text("running (R)"),
    psutil.STATUS_SLEEPING: Text("sleeping (S)"),
    psutil.STATUS_IDLE: Text("idle (I)"),
    psutil.STATUS_STOPPED: Text("stopped (T)"),
    psutil.STATUS_TRACING_STOP: Text("stopped by a debugger (t)"),
    psutil.STATUS_DISK_SLEEP: Text("uninterruptible (D)"),
    psutil.STATUS_ZOMBIE: Text("zombie (Z)"),
    psutil.STATUS_DEAD: Text("dead (X)"),
}
_ORDINARY = frozenset({psutil.STATUS_RUNNING, psutil.STATUS_SLEEPING, psutil.STATUS_IDLE})

PROCESSES = Text("The server's processes, and who listens on its address")


_WHO_UNSEEN = Text("who listens on {where} could not be looked at: {why}")
_NOBODY_LISTENS = Text("nothing listens on {where}")
_SOMEBODY_LISTENS = Text("something listens on {where}; who, the agent has no right to see")
_NONE_IN = Text("no process of the server: none called {called} runs in {home}")
_NONE = Text("no process of the server: none called {called} runs")
_ZOMBIES = Text("no process of the server: of those called {called} only zombies are left")
_CHILDREN = Text("its child processes: {states}")
_ALL_OF_THE_NAME = Text("the data directory is not known: all of that name are shown")
_MAYBE_ANOTHERS = Text("a data directory of '-' may not be seen: it may be another server's")


@dataclass(frozen=True, slots=True)
class ListedProcess:
    """One process as the process table showed it."""

    pid: int
    parent: int
    name: str
    status: str
    since: float  # Unix time
    resident_bytes: int | None
    directory: str | None  # its working directory; None if not readable


def processes(target: Target, data: str) -> Exhibit:
    """The process that listens on the server's address, and the server's processes with their
    states.

    Both engines' processes have the data directory as working directory; if that is not readable, a
    process counts by its name and the note says so.
    """
    where, wanted = _address(target)
    kind = "unix" if target.address.host.startswith("/") else "tcp"
    home = data
    notes: list[Words] = []
    if data:
        try:
            home = SHARED.at(data, seconds(), lambda path, mount: path)
        except (StuckError, FailingError, OSError) as error:
            said = Text("data directory {data}: {why}")
            notes.append(said.format(data=data, why=why(error)))
    names = SERVER_NAMES.get(target.engine, ())
    own = SHARED.run("the process table", seconds(), lambda: servers(names, home))
    listening: Mapping[int | None, ListedProcess | None] = {}
    try:
        listening = SHARED.run("who listens", _longest_look(), lambda: listeners(kind, wanted))
    except CANNOT_LOOK as error:
        notes.append(_WHO_UNSEEN.format(where=where, why=why(error)))
    else:
        if not listening:
            notes.append(_NOBODY_LISTENS.format(where=where))
        elif None in listening:
            notes.append(_SOMEBODY_LISTENS.format(where=where))
    pids = {each.pid for each in own}
    own += [
        each
        for each in listening.values()
        if each is not None and each.pid not in pids and _is_ours(each, names, home)
    ]
    notes += _about(own, names, home)
    pids = {each.pid for each in own}
    others = [each for each in listening.values() if each is not None and each.pid not in pids]
    shown = [*others, *_worth_showing(own)]
    return Exhibit(
        PROCESSES,
        headings("pid", "name", "state", "started", "resident", "listens", "data directory"),
        tuple(
            _row(each, where if each.pid in listening else "-") for each in shown[:MOST_PROCESSES]
        ),
        note=remarks(*notes),
    )


def _address(target: Target) -> tuple[str, Callable[[object], bool]]:
    """The server's listen address, in words and as a test of a socket's local address."""
    host, port = target.address.host, target.address.port
    if not host.startswith("/"):
        return f"port {port}", lambda local: getattr(local, "port", None) == port
    postgres = os.path.join(host, f".s.PGSQL.{port}")
    if target.engine in _NAMED_BY_PORT:
        return postgres, lambda local: local == postgres
    return (
        host,
        lambda local: (
            isinstance(local, str) and (local == host or os.path.dirname(local) == host.rstrip("/"))
        ),
    )


def listeners(
    kind: str, wanted: Callable[[object], bool]
) -> dict[int | None, ListedProcess | None]:
    """The processes that listen on the wanted address, by pid; None: one that is not readable."""
    found: dict[int | None, ListedProcess | None] = {}
    for each in psutil.net_connections(kind):
        if kind == "tcp" and each.status != psutil.CONN_LISTEN:
            continue
        if wanted(each.laddr):
            found[each.pid] = _look(each.pid) if each.pid is not None else None
    return found


def servers(names: tuple[str, ...], home: str) -> list[ListedProcess]:
    """Processes with those names in the directory ``home``, or whose directory is not readable."""
    found = []
    for process in psutil.process_iter(["name"]):
        if process.info["name"] not in names:
            continue
        seen = _look(process.pid)
        if seen is not None and (not home or seen.directory in (None, home)):
            found.append(seen)
    return found


def _is_ours(seen: ListedProcess, names: tuple[str, ...], home: str) -> bool:
    """Whether a process that listens on our address is the server although its directory is above
    ``home``: the configuration may name the volume of ``base``.
    """
    above = seen.directory is not None and home.startswith(f"{seen.directory.rstrip('/')}/")
    return seen.name in names and above


def _look(pid: int) -> ListedProcess | None:
    """One process; None if it has ended meanwhile. The state is read from a single file of
    /proc.
    """
    try:
        process = psutil.Process(pid)
        with process.oneshot():
            return ListedProcess(
                pid, process.ppid(), process.name(), process.status(), process.create_time(),
                process.memory_info().rss, _standing_in(process),
            )  # fmt: skip
    except psutil.NoSuchProcess:
        return None


def _standing_in(process: psutil.Process) -> str | None:
    try:
        return str(process.cwd()) or None
    except psutil.ZombieProcess:
        return None
    except psutil.AccessDenied:
        return None


def _worth_showing(own: list[ListedProcess]) -> list[ListedProcess]:
    """The main processes, and of the rest those in a state that explains something."""
    pids = {each.pid for each in own}
    leading = [each for each in own if each.parent not in pids]
    rest = [each for each in own if each.parent in pids and each.status not in _ORDINARY]
    return leading + rest


def _about(own: list[ListedProcess], names: tuple[str, ...], home: str) -> list[Text]:
    called = ", ".join(names)
    if not own:
        return [(_NONE_IN if home else _NONE).format(called=called, home=home)]
    if all(each.status == psutil.STATUS_ZOMBIE for each in own):
        return [_ZOMBIES.format(called=called)]
    pids = {each.pid for each in own}
    states = Counter(each.status for each in own if each.parent in pids)
    said = [
        Text("{n} {state}", n=number, state=_state(status))
        for status, number in states.most_common()
    ]
    notes = [_CHILDREN.format(states=remarks(*said, between=", "))] if said else []
    if not home:
        notes.append(_ALL_OF_THE_NAME)
    elif any(each.directory is None for each in own):
        notes.append(_MAYBE_ANOTHERS)
    return notes


def _state(status: str) -> Words:
    return _STATES.get(status, status)


def _row(seen: ListedProcess, listens: str) -> tuple[Words, ...]:
    resident = "-" if seen.resident_bytes is None else written(seen.resident_bytes, "bytes")
    since = instant(datetime.fromtimestamp(seen.since, UTC))
    directory = seen.directory or "-"
    return str(seen.pid), seen.name, _state(seen.status), since, resident, listens, directory


def _longest_look() -> float:
    """The time limit for the one check that reads the open files of every process of the host."""
    return min(2 * SECONDS_PER_LOOK, deadline.remaining() / 2)
