"""A store that is frozen, or down when the daemon starts, delays no probe and loses no finding; a
store that can never work ends the daemon with one sentence.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from html import unescape
from pathlib import Path

import psycopg2
import pytest

from incidents.store import StoreUnavailable, open_store
from incidents.store.engine import ANSWER_SECONDS, CONNECT_SECONDS
from probes import Address, registry
from probes.wire import deadline
from tests.servers import postgresql
from tests.support.agent import Agent, running, sigap, target_lines, write_config
from tests.support.builders import a_target
from tests.support.wait import until

pytestmark = pytest.mark.servers

DOWN = target_lines(a_target("mati", address=Address("127.0.0.1", 1, "sigap")))
DOWN_TOO = target_lines(a_target("lain", address=Address("127.0.0.1", 2, "sigap")))
PAGES_AT_ONCE = 60
"""More than the threads a web server has for pages (40)."""
PATIENCE_SECONDS = 2 * CONNECT_SECONDS + ANSWER_SECONDS
"""A sign of life, a login and one answer: longer no use of a silent store may take."""

_numbers = itertools.count()


@pytest.fixture(scope="module")
def keeper() -> Iterator[postgresql.Server]:
    """The server that keeps the store."""
    with postgresql.single({"max_connections": "60"}) as server:
        yield server


@pytest.fixture
def store(keeper: postgresql.Server) -> Iterator[str]:
    """The address of a separate store; the server is running again afterwards."""
    name = f"desk_{next(_numbers)}"
    keeper.sql(f"create database {name}")
    yield f"postgresql://postgres@/{name}?host={keeper.folder}&port={keeper.port}"
    keeper.thaw()
    if not keeper.running:
        keeper.start()


def rounds(agent: Agent, target: str) -> float:
    start = f'sigap_probe_readings_total{{target="{target}",probe="availability"}}'
    return float((agent.metric(start) or ["0"])[0].split()[-1])


def targets(agent: Agent) -> list[str]:
    return sorted(each["target"] for each in agent.incidents())


def test_a_frozen_store_blinds_nobody_and_every_finding_is_written_after_it_thaws(
    keeper: postgresql.Server, store: str, tmp_path: Path
) -> None:
    file = write_config(tmp_path, [DOWN], store=f"'{store}'")
    with running(file) as agent:
        until("the first incident", lambda: targets(agent) == ["mati"])
        agent.get("/")  # the pages' own connection, too, is one the store knows
        keeper.freeze()

        write_config(tmp_path, [DOWN, DOWN_TOO], store=f"'{store}'")
        agent.hang_up()
        until("the new target", lambda: agent.metric('sigap_target_up{target="lain"'))
        with ThreadPoolExecutor(PAGES_AT_ONCE) as visitors:
            started = time.monotonic()
            reading = {"cookie": "sigap_session=whatever"}  # looking up a session asks the store
            pages = [visitors.submit(agent.get, "/", reading) for _ in range(PAGES_AT_ONCE)]
            before = rounds(agent, "mati")
            until("the rounds going on", lambda: rounds(agent, "mati") >= before + 5)
            assert agent.get("/healthz") == (200, "ok\n")
            assert not any(page.done() for page in pages), "no page waited: nothing was tried"
            status, said = pages[0].result(PATIENCE_SECONDS)
            assert time.monotonic() - started < PATIENCE_SECONDS
            assert status == 503
            assert "tidak menjawab; periksa apakah layanannya berjalan." in unescape(said)
            for page in pages:
                page.cancel()
            until("the store away", lambda: agent.metric("sigap_store_up 0"), PATIENCE_SECONDS)
            assert agent.metric("sigap_reporter_pending_findings") != [
                "sigap_reporter_pending_findings 0.0"
            ]
            keeper.thaw()
        until("the store back", lambda: agent.metric("sigap_store_up 1"), 60)
        until("nothing waiting", lambda: _pending(agent) == 0)
        # It still has to reject all clients that connected and left while it was frozen.
        until("room for one more", lambda: _sessions(keeper) < 40)
        assert targets(agent) == ["lain", "mati"]
        assert "Traceback" not in agent.log
    assert "is whole" in sigap("verify", "--lang", "en", folder=tmp_path).stdout


def test_a_frozen_store_does_not_hold_the_end(
    keeper: postgresql.Server, store: str, tmp_path: Path
) -> None:
    with running(write_config(tmp_path, [DOWN], store=f"'{store}'")) as agent:
        until("the first incident", lambda: targets(agent) == ["mati"])
        keeper.freeze()
        write_config(tmp_path, [DOWN, DOWN_TOO], store=f"'{store}'")
        agent.hang_up()
        until("a finding that waits", lambda: _pending(agent) > 0)
        started = time.monotonic()
        assert agent.stop() == 0
        assert time.monotonic() - started < 3.0
        assert "findings undelivered at shutdown; they are sent again after restart" in agent.log


def _sessions(server: postgresql.Server) -> int:
    try:
        return int(server.sql("select count(*) from pg_stat_activity")[0][0])
    except psycopg2.OperationalError:
        return 1000


def _pending(agent: Agent) -> float:
    return float((agent.metric("sigap_reporter_pending_findings") or ["x 0"])[0].split()[-1])


def test_a_store_that_is_down_at_the_start_is_waited_for(
    keeper: postgresql.Server, store: str, tmp_path: Path
) -> None:
    keeper.stop()
    with running(write_config(tmp_path, [DOWN], store=f"'{store}'")) as agent:
        until("the target on /metrics", lambda: agent.metric('sigap_target_up{target="mati"'))
        until("the store away", lambda: agent.metric("sigap_store_up 0"))
        status, said = agent.get("/", {"cookie": "sigap_session=whatever"})
        assert (status, "Traceback" in said) == (503, False)
        assert "tidak menjawab; periksa apakah layanannya berjalan." in unescape(said)
        keeper.start()
        until("the incident", lambda: targets(agent) == ["mati"], 40)
        until("the store back", lambda: agent.metric("sigap_store_up 1"))
        assert "Traceback" not in agent.log


def test_a_store_that_refuses_the_login_ends_the_start_with_one_sentence(
    store: str, tmp_path: Path
) -> None:
    write_config(tmp_path, [DOWN], store=f"'{store.replace('desk_', 'salah_')}'")
    done = sigap("run", folder=tmp_path)
    (said,) = done.stderr.strip().splitlines()
    assert done.returncode == 1
    assert "refuses the login; check its user, password and database" in said


def test_a_frozen_store_ends_every_use_by_its_bound(keeper: postgresql.Server, store: str) -> None:
    registry.engine("postgresql")  # puts the wait in place that obeys the bound
    opened = open_store(store, deadline.each_wait)
    keeper.freeze()
    for use in (opened.read, opened.write):
        started = time.monotonic()
        with pytest.raises(StoreUnavailable, match="does not answer") as caught, use():
            pytest.fail("a frozen store was used")
        assert time.monotonic() - started < 2 * CONNECT_SECONDS + 1.0
        assert caught.value.passing
    keeper.thaw()
    with opened.read():
        pass
    opened.close()


def test_an_answer_that_stays_out_in_the_middle_of_a_write_undoes_all_of_it(
    keeper: postgresql.Server, store: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("incidents.store.engine.ANSWER_SECONDS", 1.0)
    registry.engine("postgresql")
    opened = open_store(store, deadline.each_wait)
    with pytest.raises(StoreUnavailable, match="does not answer"), opened.write() as connection:
        connection.exec_driver_sql("insert into meta values ('half', 'x')")
        keeper.freeze()
        connection.exec_driver_sql("insert into meta values ('other half', 'x')")
    keeper.thaw()
    with opened.read() as connection:
        found = connection.exec_driver_sql("select name from meta where name like '%%half'").all()
    assert found == []
    opened.close()
