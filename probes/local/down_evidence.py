"""Evidence about a server that is down: its processes, log, volumes and host.

Shared by the engines; needs no session. Every check ends at the deadline in force and none waits
for a dead mount or an unreadable process; what could not be read is stated in its place.
Sources: proc(5) through psutil; each engine's own log.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime

import psutil

from probes.i18n.formats import instant
from probes.i18n.headings import headings
from probes.local import server_log
from probes.local.inspection import CANNOT_LOOK, DOES_NOT_ANSWER, seconds, unseen
from probes.local.mounts import SHARED, FailingError, StuckError
from probes.local.processes import PROCESSES, processes
from probes.model import Down, Exhibit, ProbeError, Session, Text, Words
from probes.words import failure_text
from probes.words.tables import remarks
from probes.words.units import written

MOST_LINES = 20
MOST_VOLUMES = 12


def when_down(view: Session, down: Down) -> Iterator[Exhibit]:
    """The failure and, for a server on this host, what can be seen from outside."""
    yield the_failure(down)
    if not view.target.host:
        return
    paths = view.paths()
    for title, look in (
        (PROCESSES, lambda: processes(view.target, paths.get("data", ""))),
        (LOG, lambda: log_tail(server_log.place(paths, view.target.volumes))),
        (_VOLUMES, lambda: volumes(paths)),
        (_HOST, this_host),
    ):
        yield _said_if_unseen(title, look)


def last_words(session: Session) -> Iterator[Exhibit]:
    """The last log lines of a running server on this host; nothing for one on another host."""
    if session.target.host:
        yield _said_if_unseen(
            LOG,
            lambda: log_tail(server_log.place(session.paths(), session.target.volumes)),
        )


def _said_if_unseen(title: Text, look: Callable[[], Exhibit]) -> Exhibit:
    try:
        return look()
    except CANNOT_LOOK as error:
        return Exhibit(title, (), (), note=unseen(error))


# -- the failure ------------------------------------------------------------------------------

_FAILURE = Text("Why the server cannot be used")
_NEVER = Text("not since Sigap started")
_LOGGING_IN = Text("logging in")
_ASKING = Text("asking on an open session")


def the_failure(down: Down) -> Exhibit:
    """What failed, during which call, after how long, and when the last answer came."""
    answered = _NEVER if down.answered_at is None else instant(down.answered_at)
    took = written(down.spent_seconds, "seconds")
    return Exhibit(
        _FAILURE,
        headings("failure", "phase", "took", "last answered", "message"),
        (
            (
                down.failure.kind.value,
                _LOGGING_IN if down.at_login else _ASKING,
                took,
                answered,
                failure_text.shown(down.failure),
            ),
        ),
    )


# -- the server's log -------------------------------------------------------------------------

LOG = Text("Last lines of the server's log")

_SERVER_LINE = re.compile(
    r"\s(?:LOG|FATAL|PANIC|PANIK|WARNING|PERINGATAN|HINT|PETUNJUK): "
    r"|\[(?:ERROR|Warning|Note|System)\]"
    r"|\s\[\d+\] (?:(?:WARNING|ERROR|FATAL) |LOG (?!C-|stats:))"
)
"""Log lines of the server about itself. A failed statement with its details contains user data and
does not explain why a server is down; nor do the connections of clients (``C-``).
"""

_QUOTES_A_STATEMENT = re.compile(
    r"\b(?:statement|execute \S+|parse \S+|bind \S+|parameters|query)\s*:", re.IGNORECASE
)


NO_PLACE = Text("the server did not say where it writes its log")
_WOULD_SHOW = Text("volumes: {log: ...} at the target would show it")
NO_FILE = Text("no log file in {where} that the agent may read")
_LEFT_OUT = Text("lines that quote statements are left out")


def redirected_log(data: str) -> str:
    """The file that is the standard error of the server in ``data``; "" if that is not a file on a
    disk, or not readable (only root and the server's own account may read it).

    Debian starts PostgreSQL by ``pg_ctl -l FILE``, without its logging collector. Sources:
    postmaster.pid, whose first line is the server's pid; proc(5), /proc/PID/fd.
    """
    try:
        return SHARED.at(data, seconds(), lambda home, mount: _standard_error(home))
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

    ``where``: its log file, or the directory whose newest readable log is used.
    """
    if not where:
        return Exhibit(LOG, (), (), note=remarks(NO_PLACE, _WOULD_SHOW))
    name, lines = server_log.newest(where, seconds(), _own_words)
    if not name:
        return Exhibit(LOG, (), (), note=NO_FILE.format(where=where))
    return Exhibit(
        LOG,
        headings(
            "line",
        ),
        tuple((line,) for line in lines[-MOST_LINES:]),
        note=remarks(os.path.join(where, name), _LEFT_OUT),
    )


def _own_words(path: str) -> list[str]:
    """The lines that the server wrote about itself; raises ``OSError``."""
    return [
        line.strip()
        for line in server_log.tail(path).splitlines()
        if _SERVER_LINE.search(line) and not _QUOTES_A_STATEMENT.search(line)
    ]


# -- volumes and host -------------------------------------------------------------------------

_VOLUMES = Text("Room on the server's volumes")
READ_ONLY = Text("read only")
_NOT_TOLD = Text("the server did not say where its files are")


def volumes(paths: Mapping[str, str]) -> Exhibit:
    """The volumes behind the paths the server last reported, each once."""
    holds: dict[str, list[str]] = {}
    rows: dict[str, tuple[Words, ...]] = {}
    missing: list[Words] = []
    places = {name: path for name, path in paths.items() if name != server_log.LOG_FILE}
    for purpose, path in list(places.items())[:MOST_VOLUMES]:
        try:
            volume = SHARED.look(path, seconds())
        except StuckError as error:
            facts: tuple[Words, ...] = ("-", "-", DOES_NOT_ANSWER)
            mount = error.mount
        except FailingError as error:
            mount, facts = error.mount, ("-", "-", error.reason)
        except OSError as error:
            missing.append(f"{purpose}: {path}: {error.strerror}")
            continue
        else:
            size, free = volume.size_bytes, volume.free_bytes
            mount = volume.mount
            state = READ_ONLY if volume.read_only else "ok"
            facts = (written(size, "bytes"), written(free, "bytes"), state)
        holds.setdefault(mount, []).append(purpose)
        rows[mount] = facts
    if not paths:
        missing.append(_NOT_TOLD)
    return Exhibit(
        _VOLUMES,
        headings("volume", "holds", "size", "free", "state"),
        tuple((mount, ", ".join(holds[mount]), *facts) for mount, facts in rows.items()),
        note=remarks(*missing),
    )


_HOST = Text("Memory and load of the host")


def this_host() -> Exhibit:
    """Memory and load in one line."""
    memory, swap = psutil.virtual_memory(), psutil.swap_memory()
    return Exhibit(
        _HOST,
        headings(
            "memory available", "memory", "swap used", "load 1, 5, 15 min", "processors", "booted"
        ),
        (
            (
                written(memory.available, "bytes"),
                written(memory.total, "bytes"),
                written(swap.used, "bytes") if swap.total else "-",
                ", ".join(f"{load:.2f}" for load in os.getloadavg()),
                str(os.cpu_count() or "-"),
                instant(datetime.fromtimestamp(psutil.boot_time(), UTC)),
            ),
        ),
    )
