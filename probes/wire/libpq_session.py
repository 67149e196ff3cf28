"""What every session over libpq has in common, whichever server it speaks with."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any

import psycopg2

from probes.model import ProbeError, Row, Shared, Target
from probes.wire import libpq


class LibpqSession(ABC):
    """One psycopg2 connection, used by one thread; an engine adds how it logs in anew, where
    files lie, and what its server's refusals mean."""

    def __init__(
        self,
        target: Target,
        purpose: str,
        connection: psycopg2.extensions.connection,
        phases: Mapping[str, float],
    ) -> None:
        self.target = target
        self.phases = phases
        self.memory: dict[str, Any] = {}
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
        """The whole answer to one question; raises ``ProbeError``."""
        return libpq.ask(self._connection, sql, parameters, self._failed)

    @abstractmethod
    def _failed(self, error: psycopg2.Error, closed: bool) -> ProbeError:
        """What a refused question means; ``closed``: the session is gone with it."""

    def close(self) -> None:
        """Say goodbye without waiting for an answer."""
        self._connection.close()
