"""Makes every libpq wait of this process obey the deadline of the thread that waits.

No libpq setting ends a query on a live connection to a frozen server: its kernel goes on
acknowledging. psycopg2 lets one function, for the whole process, do all the waiting (connect,
TLS, login, query, rollback); this is that function. A thread without a deadline waits as it did
before, with one difference that comes with any wait callback: libpq's ``connect_timeout`` no
longer counts, so whoever shares the process and connects should do it inside
``probes.deadline.within``.
"""

from __future__ import annotations

import select
import time

import psycopg2
from psycopg2.extensions import POLL_OK, POLL_READ, POLL_WRITE, connection, set_wait_callback

from probes import deadline

_EVENTS = {POLL_READ: select.POLLIN, POLL_WRITE: select.POLLOUT}


class DeadlineExceeded(psycopg2.OperationalError):
    """The thread's deadline passed while libpq waited; psycopg2 has dropped the connection.

    A DB-API error, so that a pool of any library discards the connection as well.
    """


def wait(conn: connection) -> None:
    """Let libpq move until it is done; raises ``DeadlineExceeded`` when the deadline passes."""
    limit = deadline.at()
    while (state := conn.poll()) != POLL_OK:
        if state not in _EVENTS:
            raise psycopg2.OperationalError(f"libpq asked to wait for {state}")
        # The descriptor may change while libpq connects, and select() ends at number 1023.
        poll = select.poll()
        poll.register(conn.fileno(), _EVENTS[state])
        if limit is None:
            poll.poll()
            continue
        left = limit - time.monotonic()
        if left <= 0 or not poll.poll(left * 1000 + 1):
            raise DeadlineExceeded("the deadline passed")


def install() -> None:
    """Put ``wait`` in place, process-wide; doing it again changes nothing."""
    set_wait_callback(wait)
