"""A server that is down while another program answers on its port is reported as down."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from probes import Address, FailureKind, ProbeError, Session, Severity, Target, registry
from probes.fleet.reachability import SILENT
from probes.judge import Judge
from probes.model import Reading
from probes.mysql.connection.connect import connect
from probes.pgbouncer.connect import open_session as to_the_console
from probes.postgresql.connection.connect import open_session
from probes.wire import deadline
from tests.servers.wrong_port import Manner, answers_http, hangs_up, listening, resets

NOW = datetime(2026, 3, 2, 1, 0, tzinfo=UTC)

Login = Callable[[Target, str], Session]

LOGINS = [
    pytest.param("postgresql", open_session, {}, id="postgresql"),
    pytest.param("postgresql", open_session, {"sslmode": "disable"}, id="postgresql-plain"),
    pytest.param("pgbouncer", to_the_console, {}, id="pgbouncer"),
    pytest.param("mysql", connect, {}, id="mysql"),
    pytest.param("mysql", connect, {"ssl": "disabled"}, id="mysql-plain"),
]


def met(engine: str, login: Login, options: dict[str, str], manner: Manner) -> list[ProbeError]:
    """How two logins fail, one after the other."""
    with listening(manner) as port:
        target = Target("db01", engine, Address("127.0.0.1", port, "sigap", options=options))
        caught = []
        for _ in range(2):
            with pytest.raises(ProbeError) as error, deadline.within(5):
                login(target, "test")
            caught.append(error.value)
    return caught


@pytest.mark.parametrize(("engine", "login", "options"), LOGINS)
def test_what_speaks_another_language_on_the_port_opens_an_incident(
    engine: str, login: Login, options: dict[str, str]
) -> None:
    errors = met(engine, login, options, answers_http)
    assert [error.failure.kind for error in errors] == [FailureKind.REFUSED] * 2
    target = Target("db01", engine, Address("127.0.0.1", 1, "sigap"))
    availability = next(p for p in registry.probes_for(engine) if p.name == "availability")
    judge = Judge()
    for turn, error in enumerate(errors):
        at = NOW + timedelta(seconds=turn)
        reading = Reading("db01", "availability", at, 0.1, failure=error.failure)
        (up,) = judge.assess(target, availability, reading).findings
    assert (up.measure, up.value, up.severity, up.opens) == ("up", 0.0, Severity.CRITICAL, True)
    assert "does not speak its protocol (something else answers at its port)" in up.title.en
    assert "tidak berbicara dengan protokolnya" in up.title.id
    assert "ss -ltnp" in up.hint.en and "agent.yaml" in up.hint.id
    assert "{" not in up.title.en + up.hint.id + up.hint.en


@pytest.mark.parametrize("manner", [hangs_up, resets])
@pytest.mark.parametrize(("engine", "login", "options"), LOGINS)
def test_a_listener_that_hangs_up_is_told_as_reached(
    engine: str, login: Login, options: dict[str, str], manner: Manner
) -> None:
    for error in met(engine, login, options, manner):
        failure = error.failure
        assert failure.kind is FailureKind.REFUSED
        assert failure.said.en == "takes the connection and hangs up before it answers"
        assert failure.said.id == "menerima sambungan lalu memutusnya sebelum menjawab"
        assert "is reached, but whoever listens there hangs up" in failure.hint.en
        assert "firewall" not in failure.hint.en


def test_whoever_answers_was_reached() -> None:
    """Otherwise the agent's own network would be blamed for a port in use by another program."""
    assert FailureKind.REFUSED not in SILENT
