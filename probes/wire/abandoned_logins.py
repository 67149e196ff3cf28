"""Further logins that had no answer: tried twice a minute at most while they hang.

Why: whoever gives up a login before the server looked at the password leaves a process behind that
waits in the server (for the catalogue of accounts, a directory service) and does not notice that
nobody is there any more. PostgreSQL ends it after ``authentication_timeout``, MySQL after
``connect_timeout``. Promise: this agent never has more than ``MOST`` of them waiting; the session
it keeps is not concerned. Pure.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from probes.model import Failure, FailureKind

MOST = 2
"""One may be a hiccup, and the next is then tried when it is due."""
FOR_SECONDS = 60.0
"""PostgreSQL's ``authentication_timeout`` by default; MySQL's ``connect_timeout`` is shorter."""


@dataclass(slots=True)
class Abandoned:
    """The logins of one target that may still wait in its server."""

    _hung: list[tuple[float, Failure]] = field(default_factory=list)  # when it was begun

    def note(self, begun: float, failure: Failure) -> None:
        """A further login failed; ``begun`` in seconds of any steady clock."""
        if failure.kind is FailureKind.TIMEOUT:
            self._hung.append((begun, failure))

    def refusal(self, now: float) -> Failure | None:
        """Why no login is tried now: what the last one met; None when one may be tried."""
        self._hung = [each for each in self._hung if now - each[0] < FOR_SECONDS]
        return self._hung[-1][1] if len(self._hung) >= MOST else None
