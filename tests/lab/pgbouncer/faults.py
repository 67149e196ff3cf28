"""A pooler that is down, frozen, full, paused, or has lost its server."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from functools import partial
from typing import Any

import psycopg2

from probes import Limits
from tests.lab.outages import FROZEN, HANGS
from tests.lab.pgbouncer.world import POOLER, World
from tests.lab.scenario import PRIMARY, Fault
from tests.servers.pgbouncer import ADMIN, CLERK, DATABASE


@contextmanager
def stopped(world: World) -> Iterator[None]:
    world.pooler.stop()
    yield
    world.pooler.start()
    world.wait_serving()


@contextmanager
def frozen(world: World) -> Iterator[None]:
    world.pooler.freeze()
    yield
    world.pooler.thaw()
    world.wait_serving()


@contextmanager
def exhausted(world: World) -> Iterator[None]:
    """Two clients sit in their transactions, and everybody else queues."""
    with world.pooler.holding(2), world.pooler.queueing(3, at_least_seconds=1):
        yield
    world.wait_serving()


@contextmanager
def server_gone(world: World) -> Iterator[None]:
    """PostgreSQL is stopped; one of the clients that come waits, the others are turned away."""
    world.primary.stop()
    try:
        with world.pooler.queueing(1):
            yield
    finally:
        world.primary.start()
    world.wait_serving()


@contextmanager
def server_frozen(world: World) -> Iterator[None]:
    """PostgreSQL is frozen during two queries; the next clients queue."""
    world.primary.freeze()
    try:
        with world.pooler.queueing(3, taken=2):
            yield
    finally:
        world.primary.thaw()
    world.wait_serving()


@contextmanager
def row_locked(world: World) -> Iterator[None]:
    """A row is locked; clients of the pooler wait for it and use up the pool."""
    world.primary.sql("create table if not exists kas (id int primary key, saldo int)")
    world.primary.sql("insert into kas values (1, 0) on conflict do nothing")
    world.primary.sql(f"grant all on kas to {CLERK}")
    holder = world.primary.connect()
    holder.autocommit = False
    try:
        with holder.cursor() as cursor:
            cursor.execute("set application_name = 'impor_gaji'")
            cursor.execute("update kas set saldo = 1 where id = 1")
        update = "update kas set saldo = saldo + 1 where id = 1"
        with world.pooler.queueing(3, at_least_seconds=1, taken=2, statement=update):
            yield
    finally:
        holder.close()
        world.primary.sql("drop table kas")
    world.wait_serving()


@contextmanager
def suspended(world: World) -> Iterator[None]:
    """An upgrade stopped half-way: SUSPEND lasts as long as its session."""
    console = world.pooler.connect("pgbouncer", ADMIN)
    try:
        with console.cursor() as cursor:
            cursor.execute("SUSPEND")
            yield
            cursor.execute("RESUME")
    finally:
        console.close()
    world.wait_serving()


@contextmanager
def pause_forgotten(world: World) -> Iterator[None]:
    """The database was paused for a switch of the primary and never resumed."""
    world.pooler.admin(f"PAUSE {DATABASE}")
    try:
        with world.pooler.queueing(2):
            yield
    finally:
        world.pooler.admin(f"RESUME {DATABASE}")
    world.wait_serving()


@contextmanager
def pause_of_everything(world: World) -> Iterator[None]:
    world.pooler.admin("PAUSE")
    try:
        with world.pooler.queueing(2):
            yield
    finally:
        world.pooler.admin("RESUME")
    world.wait_serving()


@contextmanager
def no_room_for_clients(world: World) -> Iterator[None]:
    """An application leaks connections until the pooler rejects new clients."""
    with ExitStack() as stack:
        with suppress(psycopg2.OperationalError):
            while True:
                stack.callback(world.pooler.connect().close)
        yield
    world.wait_serving()


TELLS_ITS_STATE = 12400
"""With SHOW STATE; of the versions tried 1.18 has none, 1.24 has it."""
SUSPENDS_NO_MORE = 12600
"""Of the versions tried 1.24 still knows SUSPEND, 1.26 does not."""

LOGINS_HANG: Mapping[str, Any] = {**HANGS, "rest_seconds": 0.2}
"""Some are given up, and then none is tried until those have ended
(``probes.wire.abandoned_logins``)."""

_fault: Any = partial(Fault, engine="pgbouncer", target=POOLER, family="pooler")

FAULTS: tuple[Fault[World], ...] = (
    _fault(
        "pooler/exhausted",
        inject=exhausted,
        probe="pools",
        measure="pool_wait_seconds",
        words=(CLERK, DATABASE, "all 2 server connections"),
        evidence=("loket", "active", "transaction"),
        limits={"pools.pool_wait_seconds": Limits(warning=0.5, critical=1.0)},
    ),
    _fault(
        "pooler/server_gone",
        engine="postgresql",
        inject=server_gone,
        target=PRIMARY,
        probe="availability",
        measure="up",
        family="availability",
        words=(PRIMARY, "refuses connections"),
        symptoms=("pool_served", "fresh_login_ok"),
        rest_seconds=0.2,
        local=True,
        evidence=("refused", DATABASE, CLERK),
    ),
    _fault(
        "pooler/server_frozen",
        engine="postgresql",
        inject=server_frozen,
        target=PRIMARY,
        probe="availability",
        measure="up",
        family="availability",
        words=(PRIMARY, "does not answer"),
        limits={"pools.pool_wait_seconds": Limits(warning=0.5, critical=1.0)},
        symptoms=("pool_wait_seconds",),
        **{**FROZEN, **LOGINS_HANG},
    ),
    _fault(
        "pooler/row_locked",
        engine="postgresql",
        inject=row_locked,
        target=PRIMARY,
        probe="blocked_sessions",
        measure="blocked_seconds",
        family="locks",
        words=("sessions wait for", "impor_gaji"),
        limits={
            "pools.pool_wait_seconds": Limits(warning=0.5, critical=1.0),
            "blocked_sessions.blocked_seconds": Limits(warning=0.5, critical=1.0),
        },
        symptoms=("pool_wait_seconds",),
        evidence=("impor_gaji", "kas", "loket"),
    ),
    _fault(
        "pooler/suspended",
        inject=suspended,
        probe="login",
        measure="fresh_login_ok",
        words=("New logins", POOLER),
        versions=(0, TELLS_ITS_STATE),
        **LOGINS_HANG,
    ),
    _fault(
        "pooler/suspended",
        inject=suspended,
        probe="paused",
        measure="pooler_held",
        words=(POOLER, "held by SUSPEND"),
        symptoms=("fresh_login_ok",),
        versions=(TELLS_ITS_STATE, SUSPENDS_NO_MORE),
        **LOGINS_HANG,
    ),
    _fault(
        "pooler/pause_forgotten",
        inject=pause_forgotten,
        probe="paused",
        measure="database_paused",
        words=(POOLER, DATABASE, "paused"),
        evidence=(DATABASE, "waiting", CLERK),
        symptoms=("fresh_login_ok",),
        **LOGINS_HANG,
    ),
    _fault(
        "pooler/pause_of_everything",
        inject=pause_of_everything,
        probe="servers",
        measure="pool_served",
        words=(POOLER, "does not reach", DATABASE),
        evidence=("PAUSE command issued",),
        local=True,
        versions=(0, TELLS_ITS_STATE),
        **LOGINS_HANG,
    ),
    _fault(
        "pooler/pause_of_everything",
        inject=pause_of_everything,
        probe="paused",
        measure="pooler_held",
        words=(POOLER, "held by PAUSE"),
        evidence=(DATABASE, CLERK),
        versions=(TELLS_ITS_STATE, 10**9),
        symptoms=("fresh_login_ok",),
        **LOGINS_HANG,
    ),
    _fault(
        "pooler/no_room_for_clients",
        inject=no_room_for_clients,
        probe="clients",
        measure="clients_used_ratio",
        words=(POOLER, "max_client_conn", CLERK, "127.0.0.1"),
        evidence=(CLERK, DATABASE),
        symptoms=("fresh_login_ok",),
    ),
    _fault(
        "pooler/stopped",
        inject=stopped,
        probe="availability",
        measure="up",
        family="availability",
        words=(POOLER, "refuses connections"),
        local=True,
        # processes of that name may be another pooler's: it has no directory of its own
        evidence=("refused", "nothing listens on port", "got SIGTERM"),
    ),
    _fault(
        "pooler/frozen",
        inject=frozen,
        probe="availability",
        measure="up",
        family="availability",
        words=(POOLER, "does not answer"),
        **FROZEN,
    ),
)
