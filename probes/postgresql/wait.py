"""Makes every libpq wait of this process obey the deadline of the thread that waits.

No libpq setting ends a query on a live connection to a frozen server: its kernel goes on
acknowledging. psycopg2 lets one function, for the whole process, do all the waiting (connect,
TLS, login, query, rollback); this is that function. A thread without a deadline waits as it did
before, with one difference that comes with any wait callback: libpq's ``connect_timeout`` no
longer counts, so whoever shares the process and connects should do it inside
``probes.deadline.within`` or, for work of unknown length, ``probes.deadline.each_wait``.

It is also the only place that sees which step of a login libpq waits in, so ``timing`` tells the
phases apart without a second connection.
"""

from __future__ import annotations

import select
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import psycopg2
from psycopg2.extensions import POLL_OK, POLL_READ, POLL_WRITE, connection, set_wait_callback

from probes import deadline

_here = threading.local()

CONNECT, TLS, LOGIN = "connect", "tls", "login"
_CONNECTED = 0
# libpq's ConnStatusType while a wait goes on. "Made" is passed before TLS and, where the server
# declines it, once more after; whatever else it says belongs to the login.
_PHASES = {2: CONNECT, 7: TLS}
_MADE = 3

_EVENTS = {POLL_READ: select.POLLIN, POLL_WRITE: select.POLLOUT}


class DeadlineExceeded(psycopg2.OperationalError):
    """The thread's deadline passed while libpq waited; psycopg2 has dropped the connection.

    A DB-API error, so that a pool of any library discards the connection as well.
    """


@contextmanager
def timing() -> Iterator[dict[str, float]]:
    """Seconds by phase of the login made inside the block, in the order they came.

    When the deadline passes, the last one is the phase that did not end.
    """
    phases: dict[str, float] = {}
    _here.phases = phases
    try:
        yield phases
    finally:
        _here.phases = None


def wait(conn: connection) -> None:
    """Let libpq move until it is done; raises ``DeadlineExceeded`` when the deadline passes."""
    phases: dict[str, float] | None = getattr(_here, "phases", None)
    if phases is None:
        _wait(conn)
        return
    mark = time.perf_counter()
    phase = CONNECT

    def spend() -> None:
        nonlocal mark
        now = time.perf_counter()
        phases[phase] = phases.get(phase, 0.0) + now - mark
        mark = now

    def waiting() -> None:
        nonlocal phase
        status = conn.info.status
        if phases:
            spend()  # what passed since the last wait went into the answer to it
        if status != _MADE:
            phase = _PHASES.get(status, LOGIN)
        phases.setdefault(phase, 0.0)

    _wait(conn, waiting)
    spend()


def _wait(conn: connection, waiting: Callable[[], None] = lambda: None) -> None:
    limit = deadline.of_this_wait()
    while (state := conn.poll()) != POLL_OK:
        if state not in _EVENTS:
            raise psycopg2.OperationalError(f"libpq asked to wait for {state}")
        waiting()
        # The descriptor may change while libpq connects, and select() ends at number 1023.
        poll = select.poll()
        poll.register(conn.fileno(), _EVENTS[state])
        if limit is None:
            poll.poll()
            continue
        left = limit - time.monotonic()
        if left <= 0 or not poll.poll(left * 1000 + 1):
            if conn.info.status != _CONNECTED:
                # At once: the frames of an exception that somebody keeps would keep it open. A
                # statement holds the connection's lock here, and psycopg2 closes that one itself.
                conn.close()
            raise DeadlineExceeded("the deadline passed")


def install() -> None:
    """Put ``wait`` in place, process-wide; doing it again changes nothing."""
    set_wait_callback(wait)
