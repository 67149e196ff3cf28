"""Another session locks what our queries read: no statement of ours waits longer than 250 ms.

Each statement is timed, through every session a probe opens, on the primary and on a replica that
has replayed the same locks. Probes whose catalogue is locked are blind, at once and only meanwhile.
A login cannot be limited by our settings (the server reads its catalogues before settings apply);
there our deadline ends it, and few are tried.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import psutil
import pytest

from probes import FailureKind, Probe, Reading
from probes.registry import engine, probes_for
from probes.runner import Owner
from probes.wire.abandoned_logins import MOST
from tests.servers import postgresql
from tests.servers.postgresql import MONITOR, PostgresPair, Server, until
from tests.support.metering import Meter, Statement

pytestmark = pytest.mark.servers

OURS = [probe for probe in probes_for("postgresql") if probe.engine == "postgresql"]

PROMISED_SECONDS = 0.25
"""The longest that a statement of ours may wait for a lock."""
THERE_AND_BACK_SECONDS = 0.1
"""What giving up takes beyond that: the server's timer, and the answer's way to us."""

IN_USE = {"archive_mode": "on", "archive_command": "true", "wal_level": "logical"}

OBJECTS = {
    "a table": "lock table pegawai in access exclusive mode",
    "its index": "reindex index pegawai_pkey",
    "its sequence": "alter sequence pegawai_id_seq increment 2",
    "a partition": "lock table arsip, arsip_lama in access exclusive mode",
    "the canary": "lock table sigap.canary in access exclusive mode",
    "the canary's index": "reindex index sigap.canary_pkey",
}


@pytest.fixture(scope="module")
def both() -> Iterator[PostgresPair]:
    """A pair on which every probe has something to ask about."""
    with postgresql.pair(IN_USE) as made:
        one = made.primary
        one.sql("create table pegawai (id serial primary key, nama text)")
        one.sql("create table arsip (id int primary key, tahun text) partition by range (id)")
        one.sql("create table arsip_lama partition of arsip for values from (0) to (1000)")
        one.sql(f"grant select on all sequences in schema public to {MONITOR}")
        one.sql("create database simpeg")
        for grant in engine("postgresql").options["canary"]:
            one.sql(grant.sql.format(user=MONITOR))
        made.wait_streaming()
        yield made


class Agent:
    """A real owner of one server's sessions, every statement of it timed."""

    def __init__(self, server: Server) -> None:
        self.meter = Meter()
        self.owner = Owner(server.target(), self.meter.on(engine("postgresql")), 2.0)
        self.round()  # logged in and warm before anything is held, as an agent is

    def round(self) -> list[Reading]:
        return list(self.owner.round(OURS, lambda: datetime.now(UTC)))

    def ask(self, probe: Probe) -> tuple[Reading, list[Statement]]:
        """One reading and the evidence with it, and what was asked for them."""
        self.meter.statements.clear()
        (reading,) = self.owner.round([probe], lambda: datetime.now(UTC))
        self.owner.gather(probe, datetime.now(UTC))
        return reading, list(self.meter.statements)

    def too_long(self, probe: Probe) -> list[Statement]:
        """What waited longer than is promised; asked twice, for a busy machine is no lock."""
        for _ in range(2):
            self.ask(probe)
            slow = self.meter.longer_than(PROMISED_SECONDS + THERE_AND_BACK_SECONDS)
            if not slow:
                return []
        return slow


@pytest.fixture
def agents(both: PostgresPair) -> Iterator[dict[str, Agent]]:
    made = {"primary": Agent(both.primary), "replica": Agent(both.replica)}
    yield made
    for agent in made.values():
        agent.owner.drop()


class Admin:
    """Open sessions of the administrator, because no login is possible while some locks are
    held.
    """

    def __init__(self, both: PostgresPair) -> None:
        self._primary, self._replica = both.primary.connect(), both.replica.connect()
        self.settle()  # once now, so that nothing has to be looked up later

    def settle(self) -> None:
        """The replica has replayed all that was done, also by transactions still open."""
        # a commit: what an open transaction wrote is sent no sooner
        mark = "select pg_logical_emit_message(true, 'held', '')::text"
        ((at,),) = self._ask(self._primary, mark)
        replayed = f"select pg_last_wal_replay_lsn() >= '{at}'::pg_lsn"
        until(lambda: self._ask(self._replica, replayed)[0][0], "the replica holding it too")

    def _ask(self, connection: Any, sql: str) -> list[Any]:
        with connection.cursor() as cursor:
            cursor.execute(sql)
            rows: list[Any] = cursor.fetchall()
            return rows

    def close(self) -> None:
        self._primary.close()
        self._replica.close()


@contextmanager
def held(both: PostgresPair, statement: str) -> Iterator[None]:
    """A transaction on the primary that took it and stays open; the replica has replayed that."""
    admin, holder = Admin(both), both.primary.connect()
    holder.autocommit = False
    try:
        with holder.cursor() as cursor:
            cursor.execute(statement)
        admin.settle()
        yield
    finally:
        holder.close()
        admin.settle()
        admin.close()


@pytest.mark.parametrize("what", OBJECTS)
def test_no_statement_of_any_probe_waits_beyond_250_ms_for_what_somebody_holds(
    both: PostgresPair, agents: dict[str, Agent], what: str
) -> None:
    with held(both, OBJECTS[what]):
        for side, agent in agents.items():
            for probe in OURS:
                reading, statements = agent.ask(probe)
                assert reading.failure is None, (side, probe.name, reading.failure)
                gave_up = [each.sql for each in statements if each.waited_for_lock]
                if probe.name == "write_canary" and "canary" in what and side == "primary":
                    assert len(gave_up) == 1, "its own write, which is what it tells"
                else:
                    assert gave_up == [], (side, probe.name)
                assert agent.too_long(probe) == [], (side, probe.name)


@pytest.mark.slow
@pytest.mark.parametrize("shared", [True, False], ids=["of the server", "of the database"])
@pytest.mark.parametrize("side", ["primary", "replica"])
def test_a_catalogue_that_is_held_makes_probes_blind_and_no_statement_wait_beyond_250_ms(
    both: PostgresPair, agents: dict[str, Agent], side: str, shared: bool
) -> None:
    """As VACUUM FULL or REINDEX of the catalogue would hold it, one catalogue after another.

    Two are left out: nothing of ours reads large objects or other people's statistics.
    """
    catalogues = both.primary.sql(
        "select relname from pg_class where relnamespace = 'pg_catalog'::regnamespace and "
        "relkind = 'r' and relname not in ('pg_statistic', 'pg_largeobject') "
        "and relisshared = %s order by relname",
        shared,
    )
    agent, allowed = agents[side], {None, FailureKind.BLIND}
    for (catalogue,) in catalogues:
        with held(both, f"lock table pg_catalog.{catalogue} in access exclusive mode"):
            for _ in range(2):  # asked twice, for a busy machine is no lock
                agent.meter.statements.clear()
                for reading in agent.round():
                    kind = reading.failure and reading.failure.kind
                    assert kind in allowed, (catalogue, reading.probe, reading.failure)
                slow = agent.meter.longer_than(PROMISED_SECONDS + THERE_AND_BACK_SECONDS)
                if not slow:
                    break
            assert slow == [], catalogue
    again = Agent(both.primary if side == "primary" else both.replica)
    try:  # not the one from before: it rests for up to a minute from logins that hung
        failed = [each for each in again.round() if each.failure is not None]
    finally:
        again.owner.drop()
    assert failed == [], "once let go, everything is seen again"


def test_logins_that_hang_in_the_server_do_not_pile_up_there(both: PostgresPair) -> None:
    agent = Agent(both.primary)
    try:
        with held(both, "lock table pg_catalog.pg_authid in access exclusive mode"):
            for _ in range(6):
                agent.round()
            processes = psutil.Process(both.primary.pid).children()
            waiting = [each for each in processes if "authentication" in _title(each)]
            assert 1 <= len(waiting) <= MOST
    finally:
        agent.owner.drop()


def _title(process: psutil.Process) -> str:
    try:
        return " ".join(process.cmdline())
    except psutil.NoSuchProcess:
        return ""
