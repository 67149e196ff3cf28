"""What a target costs, as counted by the agent itself."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

LOGINS_REMEMBERED = 64
"""So many logins of a target are remembered with the sessions they made."""


@dataclass(slots=True)
class Cost:
    """What this agent costs one target; exported, and judged like any other measure."""

    sessions: int = 0  # open now
    logins: int = 0
    statements: int = 0
    rows: int = 0
    seconds: float = 0.0  # spent waiting for this server's answers, logins included
    lock_waits: int = 0  # our statements that gave up waiting for a lock
    longest_seconds: float = 0.0  # the longest single statement
    _opened: deque[tuple[int, int]] = field(default_factory=lambda: deque(maxlen=LOGINS_REMEMBERED))
    """The last logins by number, each with the sessions open after it."""

    def opened(self) -> None:
        """A session was opened."""
        self.sessions += 1
        self.logins += 1
        self._opened.append((self.logins, self.sessions))

    def closed(self) -> None:
        """A session was closed."""
        self.sessions -= 1

    def most_sessions(self, since_login: int) -> int:
        """The most sessions open at once after that login."""
        later = (sessions for login, sessions in self._opened if login > since_login)
        return max(self.sessions, *later, 0)
