"""One absolute deadline per thread, checked by every call that may block.

A frozen server still completes TCP handshakes and acknowledges data, so none of the timeouts of
libpq, PyMySQL or the server ends a call. The engines' sessions therefore wait only as long as
``remaining()`` allows. Name resolution cannot be interrupted; it runs in a separate thread, at most
one per name.
"""

from __future__ import annotations

import ipaddress
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from probes.model import FailureKind, ProbeError, Text

_here = threading.local()

RESOLVED_FOR_SECONDS = 60.0

GONE_AFTER_SECONDS = 60.0
"""How long a name that had an address must be denied by the resolver before it counts as gone: a
name server that restarts, or one of several that lags behind, denies names for moments."""

_DENIED = frozenset({socket.EAI_NONAME, getattr(socket, "EAI_NODATA", socket.EAI_NONAME)})
"""What a resolver that was asked and answered says of a name without an address."""


@contextmanager
def within(seconds: float) -> Iterator[None]:
    """Set a deadline for everything this thread does inside the block; the earlier of nested ones
    wins.
    """
    outer = at()
    mine = time.monotonic() + seconds
    _here.at = mine if outer is None else min(mine, outer)
    try:
        yield
    finally:
        _here.at = outer


def at() -> float | None:
    """The deadline in force in this thread, on the monotonic clock; None when unbounded."""
    return getattr(_here, "at", None)


def remaining() -> float:
    """Seconds left; raises ``ProbeError(TIMEOUT)`` once there are none.

    Raises ``RuntimeError`` outside ``within``: a call to a server without a bound is a bug.
    """
    limit = at()
    if limit is None:
        raise RuntimeError("a server was called outside deadline.within()")
    left = limit - time.monotonic()
    if left <= 0:
        raise timed_out()
    return left


@contextmanager
def each_wait(seconds: float) -> Iterator[None]:
    """Limit each single wait inside the block, however many there are; the smaller limit wins.

    For work of unknown length (a ledger read in batches) that must still not wait for an answer
    that never comes.
    """
    outer: float | None = getattr(_here, "patience", None)
    _here.patience = seconds if outer is None else min(seconds, outer)
    try:
        yield
    finally:
        _here.patience = outer


def of_this_wait() -> float | None:
    """When a wait that begins now must end, on the monotonic clock; None when unbounded."""
    patience: float | None = getattr(_here, "patience", None)
    limit = at()
    if patience is None:
        return limit
    mine = time.monotonic() + patience
    return mine if limit is None else min(mine, limit)


def timed_out(what: str = "no answer") -> ProbeError:
    """The failure every engine raises when the deadline passes."""
    return ProbeError(
        FailureKind.TIMEOUT,
        f"{what} within the deadline",
        Text(
            "The server takes connections but does not answer. If the evidence shows state T, run "
            "`kill -CONT PID`; if D, check the storage; else overload, or a network that swallows "
            "packets."
        ),
    )


class _Lookup:
    """One name being resolved in its own thread."""

    def __init__(self, host: str) -> None:
        self.done = threading.Event()
        self.addresses: list[str] = []
        self.error = ""
        self.denied = False
        self.at = time.monotonic()
        self._host = host
        threading.Thread(target=self._run, name=f"resolve {host}", daemon=True).start()

    def _run(self) -> None:
        try:
            found = socket.getaddrinfo(self._host, None, type=socket.SOCK_STREAM)
            self.addresses = list(dict.fromkeys(str(entry[4][0]) for entry in found))
        except OSError as error:
            self.error = error.strerror or str(error)
            self.denied = error.errno in _DENIED
        finally:
            self.at = time.monotonic()
            self.done.set()


_lookups: dict[str, _Lookup] = {}
_known: dict[str, tuple[float, list[str]]] = {}
_denied_since: dict[str, float] = {}
_lock = threading.Lock()


def resolve(host: str) -> list[str]:
    """The addresses of ``host``, within the deadline in force; at least one.

    Answers are cached for a minute, and longer while the resolver does not answer: an old address
    is better than reporting the database as down because of a name server. A resolver that answers
    that there is no such name is believed after ``GONE_AFTER_SECONDS``.
    Raises ``ProbeError``: TIMEOUT (resolver does not answer), UNREACHABLE (no such name).
    """
    try:
        ipaddress.ip_address(host)
        return [host]
    except ValueError:
        pass
    with _lock:
        known = _known.get(host)
        if known and time.monotonic() - known[0] < RESOLVED_FOR_SECONDS:
            return known[1]
        lookup = _lookups.get(host)
        if lookup is None:
            lookup = _lookups[host] = _Lookup(host)
    answered, gone = lookup.done.wait(remaining()), False
    with _lock:
        if answered:
            _lookups.pop(host, None)
            gone = _learn(host, lookup)
    if answered and lookup.addresses:
        return lookup.addresses
    if known and gone:
        raise _name_is_gone(host, known[1])
    if known:
        return known[1]
    if not answered:
        raise timed_out(f"the name {host} was not resolved")
    raise ProbeError(
        FailureKind.UNREACHABLE,
        f"the name {host} does not resolve: {lookup.error}",
        Text("Check the name {host} in the target's configuration and in DNS.", host=host),
    )


def _learn(host: str, lookup: _Lookup) -> bool:
    """Keep an answer; whether the name has been denied for long enough to be gone."""
    if lookup.addresses:
        _known[host] = (lookup.at, lookup.addresses)
        _denied_since.pop(host, None)
        return False
    if not lookup.denied:
        return False
    return lookup.at - _denied_since.setdefault(host, lookup.at) >= GONE_AFTER_SECONDS


def _name_is_gone(host: str, addresses: list[str]) -> ProbeError:
    return ProbeError(
        FailureKind.UNREACHABLE,
        Text(
            "the name {host} no longer resolves: the resolver says that there is no such name",
            host=host,
        ),
        Text(
            "Check the record of {host} in DNS; its last address was {address}. Applications that "
            "connect by this name cannot log in, even if the server runs.",
            host=host,
            address=", ".join(addresses),
        ),
    )
