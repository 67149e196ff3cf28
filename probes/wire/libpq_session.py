"""Base class of sessions over libpq."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping

import psycopg2

from probes.model import Memory, ProbeError, Row, Shared, Target
from probes.wire import libpq


class LibpqSession(ABC):
    """One psycopg2 connection, used by one thread. An engine adds its login, its paths and the
    meaning of its errors.
    """

    def __init__(
        self,
        target: Target,
        purpose: str,
        connection: psycopg2.extensions.connection,
        phases: Mapping[str, float],
    ) -> None:
        self.target = target
        self.phases = phases
        self.memory = Memory()
        self._purpose = purpose
        self._connection = connection

    @property
    def version(self) -> int:
        """As libpq reads it from the login: 150018 is PostgreSQL 15.18, 11800 PgBouncer 1.18.0."""
        return self._connection.server_version

    @property
    def shared(self) -> Shared:
        return Shared()  # an owner knows when a round begins; this does not

    def rows(self, sql: str, parameters: tuple[object, ...] = ()) -> list[Row]:
        """The whole answer to one query; raises ``ProbeError``."""
        return libpq.ask(self._connection, sql, parameters, self._failed)

    @abstractmethod
    def _failed(self, error: psycopg2.Error, closed: bool) -> ProbeError:
        """The error for a failed query; ``closed``: the session was lost with it."""

    def close(self) -> None:
        """Close the connection without waiting for an answer."""
        self._connection.close()
