"""What a DBA looks at when a server cannot be used: its processes, its log, its volumes, its host.

Why: a server that is down answers no question, and whoever is called asks these first. Shared by
the engines and asked without a session. Promise: every look ends by the deadline in force, none
waits for a dead mount or a process nobody may look at, and what could not be had is said in its
place. Sources: proc(5) by way of psutil; each engine's own log.
"""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

import psutil

from probes import deadline, server_log
from probes.model import Down, Exhibit, ProbeError, Session, Target, Text
from probes.mounts import SHARED, FailingError, StuckError
from probes.units import written

SECONDS_PER_LOOK = 1.0

SERVER_NAMES: Mapping[str, tuple[str, ...]] = {
    "postgresql": ("postgres", "postmaster"),
    "mysql": ("mariadbd", "mysqld"),
    "pgbouncer": ("pgbouncer",),
}
"""What the server's processes are called, by engine."""

_NAMED_BY_PORT = ("postgresql", "pgbouncer")
"""Engines whose Unix socket is a file named after the port, in the directory given as host."""

MOST_PROCESSES = 15
MOST_LINES = 20
MOST_VOLUMES = 12

_STATES: Mapping[str, str] = {
    psutil.STATUS_RUNNING: "running (R)",
    psutil.STATUS_SLEEPING: "sleeping (S)",
    psutil.STATUS_IDLE: "idle (I)",
    psutil.STATUS_STOPPED: "stopped (T)",
    psutil.STATUS_TRACING_STOP: "stopped by a debugger (t)",
    psutil.STATUS_DISK_SLEEP: "uninterruptible (D)",
    psutil.STATUS_ZOMBIE: "zombie (Z)",
    psutil.STATUS_DEAD: "dead (X)",
}
_ORDINARY = frozenset({psutil.STATUS_RUNNING, psutil.STATUS_SLEEPING, psutil.STATUS_IDLE})

_CANNOT_LOOK = (StuckError, FailingError, OSError, RuntimeError, psutil.Error, ProbeError)
"""RuntimeError: psutil met a line of /proc/net it does not know."""


def when_down(view: Session, down: Down) -> Iterator[Exhibit]:
    """The failure; then, of a server on this host, what can be seen of it from outside."""
    yield the_failure(down)
    if not view.target.host:
        return
    paths = view.paths()
    for title, look in (
        (_PROCESSES, lambda: processes(view.target, paths.get("data", ""))),
        (_LOG, lambda: log_tail(paths.get("log", ""))),
        (_VOLUMES, lambda: volumes(paths)),
        (_HOST, this_host),
    ):
        yield _said_if_unseen(title, look)


def last_words(session: Session) -> Iterator[Exhibit]:
    """What a server on this host that answers wrote last; nothing of one that is elsewhere."""
    if session.target.host:
        yield _said_if_unseen(
            _LOG,
            lambda: log_tail({**session.paths(), **session.target.volumes}.get("log", "")),
        )


def _said_if_unseen(title: Text, look: Callable[[], Exhibit]) -> Exhibit:
    try:
        return look()
    except _CANNOT_LOOK as error:
        return Exhibit(title, (), (), note=f"could not be looked at: {error}")


def _seconds() -> float:
    return min(SECONDS_PER_LOOK, deadline.remaining() / 3)


def _longest_look() -> float:
    """For the one look that goes through the open files of every process of the host."""
    return min(2 * SECONDS_PER_LOOK, deadline.remaining() / 2)


# -- the failure ------------------------------------------------------------------------------

_FAILURE = Text("Mengapa server tidak dapat dipakai", "Why the server cannot be used")


def the_failure(down: Down) -> Exhibit:
    """What went wrong, while doing what, after how long, and when the last answer came."""
    answered = "not since Sigap started" if down.answered_at is None else _moment(down.answered_at)
    phase = "logging in" if down.at_login else "asking on an open session"
    took = written(down.spent_seconds, "seconds").en
    return Exhibit(
        _FAILURE,
        ("failure", "phase", "took", "last answered", "message"),
        ((down.failure.kind.value, phase, took, answered, down.failure.message),),
    )


def _moment(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


# -- processes --------------------------------------------------------------------------------

_PROCESSES = Text(
    "Proses server dan siapa yang mendengarkan di alamatnya",
    "The server's processes, and who listens on its address",
)


@dataclass(frozen=True, slots=True)
class Seen:
    """One process as the process table showed it."""

    pid: int
    parent: int
    name: str
    status: str
    since: float  # Unix time
    resident_bytes: int | None
    directory: str | None  # where it stands; None where that may not be seen


def processes(target: Target, data: str) -> Exhibit:
    """Who listens where the server should, and the server's processes with their states.

    Both engines' processes stand in the data directory; where that may not be seen, a process
    counts by its name and the note says so.
    """
    where, wanted = _address(target)
    kind = "unix" if target.address.host.startswith("/") else "tcp"
    home, notes = data, []
    if data:
        try:
            home = SHARED.at(data, _seconds(), lambda path, mount: path)
        except (StuckError, FailingError, OSError) as error:
            notes.append(f"data directory {data}: {error}")
    names = SERVER_NAMES.get(target.engine, ())
    own = SHARED.run("the process table", _seconds(), lambda: servers(names, home))
    listening: Mapping[int | None, Seen | None] = {}
    try:
        listening = SHARED.run("who listens", _longest_look(), lambda: listeners(kind, wanted))
    except _CANNOT_LOOK as error:
        notes.append(f"who listens on {where} could not be looked at: {error}")
    else:
        if not listening:
            notes.append(f"nothing listens on {where}")
        elif None in listening:
            notes.append(f"something listens on {where}; who, the agent has no right to see")
    notes += _about(own, names, home)
    pids = {each.pid for each in own}
    others = [each for each in listening.values() if each is not None and each.pid not in pids]
    shown = [*others, *_worth_showing(own)]
    return Exhibit(
        _PROCESSES,
        ("pid", "name", "state", "started", "resident", "listens", "data directory"),
        tuple(
            _row(each, where if each.pid in listening else "-") for each in shown[:MOST_PROCESSES]
        ),
        note="; ".join(notes),
    )


def _address(target: Target) -> tuple[str, Callable[[object], bool]]:
    """Where the server should listen, in words and as a test of a socket's local address."""
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


def listeners(kind: str, wanted: Callable[[object], bool]) -> dict[int | None, Seen | None]:
    """Whoever has the wanted address open for others, by pid; None: one that may not be seen."""
    found: dict[int | None, Seen | None] = {}
    for each in psutil.net_connections(kind):
        if kind == "tcp" and each.status != psutil.CONN_LISTEN:
            continue
        if wanted(each.laddr):
            found[each.pid] = _look(each.pid) if each.pid is not None else None
    return found


def servers(names: tuple[str, ...], home: str) -> list[Seen]:
    """The processes of those names that stand in ``home``, or of which that may not be seen."""
    found = []
    for process in psutil.process_iter(["name"]):
        if process.info["name"] not in names:
            continue
        seen = _look(process.pid)
        if seen is not None and (not home or seen.directory in (None, home)):
            found.append(seen)
    return found


def _look(pid: int) -> Seen | None:
    """One process; None when it ended meanwhile. The state comes from a single file of /proc."""
    try:
        process = psutil.Process(pid)
        with process.oneshot():
            return Seen(
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


def _worth_showing(own: list[Seen]) -> list[Seen]:
    """The leading processes, and of the rest those in a state that explains something."""
    pids = {each.pid for each in own}
    leading = [each for each in own if each.parent not in pids]
    rest = [each for each in own if each.parent in pids and each.status not in _ORDINARY]
    return leading + rest


def _about(own: list[Seen], names: tuple[str, ...], home: str) -> list[str]:
    called = ", ".join(names)
    if not own:
        there = f" in {home}" if home else ""
        return [f"no process of the server: none called {called} runs{there}"]
    if all(each.status == psutil.STATUS_ZOMBIE for each in own):
        return [f"no process of the server: of those called {called} only zombies are left"]
    pids = {each.pid for each in own}
    states = Counter(_state(each.status) for each in own if each.parent in pids)
    said = [f"{number} {state}" for state, number in states.most_common()]
    notes = [f"its child processes: {', '.join(said)}"] if said else []
    if not home:
        notes.append("the data directory is not known: all of that name are shown")
    elif any(each.directory is None for each in own):
        notes.append("a data directory of '-' may not be seen: it may be another server's")
    return notes


def _state(status: str) -> str:
    return _STATES.get(status, status)


def _row(seen: Seen, listens: str) -> tuple[str, ...]:
    resident = "-" if seen.resident_bytes is None else written(seen.resident_bytes, "bytes").en
    since = _moment(datetime.fromtimestamp(seen.since, UTC))
    directory = seen.directory or "-"
    return str(seen.pid), seen.name, _state(seen.status), since, resident, listens, directory


# -- the server's log -------------------------------------------------------------------------

_LOG = Text("Baris akhir log server", "Last lines of the server's log")

_SERVER_LINE = re.compile(
    r"\s(?:LOG|FATAL|PANIC|PANIK|WARNING|PERINGATAN|HINT|PETUNJUK): "
    r"|\[(?:ERROR|Warning|Note|System)\]"
    r"|\s\[\d+\] (?:(?:WARNING|ERROR|FATAL) |LOG (?!C-|stats:))"
)
"""The server's word about itself. A failed statement, its details and its text hold people's data
and say nothing of why a server is down; nor does each client's coming and going (``C-``)."""

_QUOTES_A_STATEMENT = re.compile(
    r"\b(?:statement|execute \S+|parse \S+|bind \S+|parameters|query)\s*:", re.IGNORECASE
)


_NO_PLACE = "the server did not say where it writes its log"
_WOULD_SHOW = "volumes: {log: ...} at the target would show it"


def redirected_log(data: str) -> str:
    """The file that the standard error of the server in ``data`` goes to; "" when that is no file
    of a disk, or may not be seen (it is the server's own account's and root's to see).

    Debian starts PostgreSQL by ``pg_ctl -l FILE``, without its logging collector. Sources:
    postmaster.pid, whose first line is the server's process; proc(5), /proc/PID/fd.
    """
    try:
        return SHARED.at(data, _seconds(), lambda home, mount: _standard_error(home))
    except (StuckError, FailingError, OSError, ValueError, ProbeError):
        return ""


def _standard_error(home: str) -> str:
    with open(os.path.join(home, "postmaster.pid"), encoding="utf-8") as file:
        pid = int(file.readline())
    if os.readlink(f"/proc/{pid}/cwd") != home:  # another's by now, or of another container
        return ""
    file_name = os.readlink(f"/proc/{pid}/fd/2")  # read, not followed: its mount may be dead
    on_a_disk = file_name.startswith("/") and not file_name.startswith("/dev/")
    return file_name if on_a_disk and not file_name.endswith(" (deleted)") else ""


def log_tail(where: str) -> Exhibit:
    """The last lines the server wrote about itself.

    ``where``: its log file, or the directory whose newest log that may be read is taken.
    """
    if not where:
        return Exhibit(_LOG, (), (), note=f"{_NO_PLACE}; {_WOULD_SHOW}")
    name, lines = server_log.newest(where, _seconds(), _own_words)
    if not name:
        return Exhibit(_LOG, (), (), note=f"no log file in {where} that the agent may read")
    return Exhibit(
        _LOG,
        ("line",),
        tuple((line,) for line in lines[-MOST_LINES:]),
        note=f"{os.path.join(where, name)}; lines that quote statements are left out",
    )


def _own_words(path: str) -> list[str]:
    """Which of the last lines are the server's about itself; raises ``OSError``."""
    return [
        line.strip()
        for line in server_log.tail(path).splitlines()
        if _SERVER_LINE.search(line) and not _QUOTES_A_STATEMENT.search(line)
    ]


# -- volumes and host -------------------------------------------------------------------------

_VOLUMES = Text("Ruang pada volume yang memuat berkas server", "Room on the server's volumes")


def volumes(paths: Mapping[str, str]) -> Exhibit:
    """The volumes behind the paths the server last told, each once."""
    holds: dict[str, list[str]] = {}
    rows: dict[str, tuple[str, ...]] = {}
    unseen = []
    for purpose, path in list(paths.items())[:MOST_VOLUMES]:
        try:
            volume = SHARED.look(path, _seconds())
        except StuckError as error:
            mount, facts = error.mount, ("-", "-", "does not answer")
        except FailingError as error:
            mount, facts = error.mount, ("-", "-", error.reason)
        except OSError as error:
            unseen.append(f"{purpose}: {path}: {error.strerror}")
            continue
        else:
            size, free = volume.size_bytes, volume.free_bytes
            state = "read only" if volume.read_only else "ok"
            mount = volume.mount
            facts = (written(size, "bytes").en, written(free, "bytes").en, state)
        holds.setdefault(mount, []).append(purpose)
        rows[mount] = facts
    if not paths:
        unseen.append("the server did not say where its files are")
    return Exhibit(
        _VOLUMES,
        ("volume", "holds", "size", "free", "state"),
        tuple((mount, ", ".join(holds[mount]), *facts) for mount, facts in rows.items()),
        note="; ".join(unseen),
    )


_HOST = Text("Memori dan beban host", "Memory and load of the host")


def this_host() -> Exhibit:
    """Memory and load in one line."""
    memory, swap = psutil.virtual_memory(), psutil.swap_memory()
    return Exhibit(
        _HOST,
        ("memory available", "memory", "swap used", "load 1, 5, 15 min", "processors", "booted"),
        (
            (
                written(memory.available, "bytes").en,
                written(memory.total, "bytes").en,
                written(swap.used, "bytes").en if swap.total else "-",
                ", ".join(f"{load:.2f}" for load in os.getloadavg()),
                str(os.cpu_count() or "-"),
                _moment(datetime.fromtimestamp(psutil.boot_time(), UTC)),
            ),
        ),
    )
