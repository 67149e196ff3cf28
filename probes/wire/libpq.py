"""Wait callback for libpq that obeys the thread's deadline, and the login used by its engines.

No libpq setting ends a query on a live connection to a frozen server, because its kernel keeps
acknowledging. psycopg2 lets one function, for the whole process, do all waiting (connect, TLS,
login, query, rollback); this is that function. A thread without a deadline waits as before, with
one difference that any wait callback brings: libpq's ``connect_timeout`` has no effect. Other code
of the process that connects should do so inside ``deadline.within`` or, for work of unknown length,
``deadline.each_wait``.

The callback also sees which step of a login libpq waits in, so ``timing`` measures the phases
without a second connection.
"""

from __future__ import annotations

import select
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import psycopg2
from psycopg2.extensions import POLL_OK, POLL_READ, POLL_WRITE, connection, set_wait_callback

from probes.model import Address, FailureKind, ProbeError, Row, Text
from probes.wire import deadline, libpq_errors

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
    """Let libpq proceed until it is done; raises ``DeadlineExceeded`` when the deadline passes."""
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
    """Install ``wait`` for the whole process; calling it again has no effect."""
    set_wait_callback(wait)


def log_in(
    address: Address,
    settings: Mapping[str, Any],
    silent: Callable[[str, Address], ProbeError],
    refused: Callable[[psycopg2.Error, str], ProbeError],
) -> tuple[connection, dict[str, float]]:
    """A connection within the deadline in force, and its seconds by phase; raises ``ProbeError``.

    The addresses of a name are tried in order, each with its share of the time left, so that a
    first address that does not answer does not hide a second one that works. ``silent`` and
    ``refused`` name in the engine's words a phase without an end, or libpq's error at an IP.
    """
    phases: dict[str, float] = {}
    started = time.perf_counter()
    ips = [""] if address.host.startswith("/") else deadline.resolve(address.host)
    phases["resolve"] = time.perf_counter() - started
    with timing() as waited:
        connected = _at_one_of(ips, address, settings, waited, silent, refused)
    return connected, phases | waited


def ask(
    connected: connection,
    sql: str,
    parameters: tuple[object, ...],
    failed: Callable[[psycopg2.Error, bool], ProbeError],
) -> list[Row]:
    """The whole answer to one question; ``failed`` names an error and whether all ended with it."""
    if connected.closed:
        raise libpq_errors.lost()
    deadline.remaining()
    try:
        with connected.cursor() as cursor:
            cursor.execute(sql, parameters or None)
            if cursor.description is None:
                return []
            names = [column.name for column in cursor.description]
            return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]
    except DeadlineExceeded as error:
        raise deadline.timed_out("the question was not answered") from error
    except psycopg2.Error as error:
        raise failed(error, bool(connected.closed)) from error


def _at_one_of(
    ips: list[str],
    address: Address,
    settings: Mapping[str, Any],
    waited: Mapping[str, float],
    silent: Callable[[str, Address], ProbeError],
    refused: Callable[[psycopg2.Error, str], ProbeError],
) -> connection:
    worst: ProbeError | None = None
    for index, ip in enumerate(ips):
        try:
            with deadline.within(deadline.remaining() / (len(ips) - index)):
                return _at(ip, address, settings, waited, silent, refused)
        except _NextAddress as error:
            # No answer says more than a closed port: "localhost" is often refused on ::1 alone.
            if worst is None or worst.failure.kind is not FailureKind.TIMEOUT:
                worst = error.said
    if worst is None:
        raise RuntimeError("deadline.resolve promises at least one address")
    try:
        raise worst
    finally:
        del worst  # or frame and exception would hold each other until the collector runs


class _NextAddress(Exception):
    """This address does not answer; another one may."""

    def __init__(self, said: ProbeError) -> None:
        self.said = said


def _at(
    ip: str,
    address: Address,
    settings: Mapping[str, Any],
    waited: Mapping[str, float],
    silent: Callable[[str, Address], ProbeError],
    refused: Callable[[psycopg2.Error, str], ProbeError],
) -> connection:
    try:
        connected: connection = psycopg2.connect(**_parameters(address, ip, settings))
    except DeadlineExceeded as error:
        phase = next(reversed(list(waited)), CONNECT)
        said = silent(phase, address)
        raise _NextAddress(said if phase == CONNECT else said.after_contact()) from error
    except psycopg2.ProgrammingError as error:
        raise ProbeError(
            FailureKind.BROKEN,
            " ".join(str(error).split()),
            Text("Mend the libpq options in the target's url (the part after the question mark)."),
        ) from error
    except psycopg2.Error as error:
        said = refused(error, ip)
        if libpq_errors.server_answered(error):
            raise said from error
        raise _NextAddress(said) from error
    connected.autocommit = True
    return connected


_CLIENT_SETTINGS: Mapping[str, str] = {
    "client_encoding": "UTF8",
    "gssencmode": "disable",  # a silent KDC would block beyond our deadline
    "keepalives_idle": "10",
    "keepalives_interval": "5",
    "keepalives_count": "3",
    "tcp_user_timeout": "15000",
}


def _parameters(address: Address, ip: str, settings: Mapping[str, Any]) -> dict[str, Any]:
    """The connection parameters; the target's own options override ours, except the engine's
    own.
    """
    parameters: dict[str, Any] = {
        **_CLIENT_SETTINGS,
        **address.options,
        **settings,
        "host": address.host,
        "port": address.port,
        "user": address.user,
    }
    if ip:
        parameters["hostaddr"] = ip  # "host" stays for the certificate's name
    if address.password is not None:
        parameters["password"] = address.password.reveal()
    return parameters
