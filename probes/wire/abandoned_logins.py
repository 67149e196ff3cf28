"""Limits how many unanswered logins may wait in a server.

A client that gives up a login before the server has checked the password leaves a process that
waits in the server (for the catalogue of accounts, a directory service) without noticing that the
client is gone. PostgreSQL ends it after ``authentication_timeout``, MySQL after
``connect_timeout``. This agent never has more than ``MOST`` of them waiting. The kept session is
not limited. No I/O.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from probes.model import Failure, FailureKind

MOST = 2
"""One failure may be a hiccup; the next login is then tried when it is due."""
FOR_SECONDS = 60.0
"""Default of PostgreSQL's ``authentication_timeout``; MySQL's ``connect_timeout`` is shorter."""


@dataclass(slots=True)
class Abandoned:
    """Logins of one target that may still be waiting in its server."""

    _hung: list[tuple[float, Failure]] = field(default_factory=list)  # when it was begun

    def note(self, begun: float, failure: Failure) -> None:
        """Record a failed additional login; ``begun`` is in seconds of any monotonic clock."""
        if failure.kind is FailureKind.TIMEOUT:
            self._hung.append((begun, failure))

    def refusal(self, now: float) -> Failure | None:
        """The failure of the last login if no further one may be tried now; None if one may."""
        self._hung = [each for each in self._hung if now - each[0] < FOR_SECONDS]
        return self._hung[-1][1] if len(self._hung) >= MOST else None
