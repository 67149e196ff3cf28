"""A subscription between two databases of one server: working, failing, switched off."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from probes import Measurement, ProbeError
from probes.postgresql.replication.logical_replication import PROBE
from tests.probes.postgresql.asking import again, exhibits, read, session_to, title_of
from tests.servers import postgresql
from tests.servers.postgresql import NO_RIGHTS, Server, until

pytestmark = pytest.mark.servers

Found = dict[tuple[str, str], Measurement]
NAME = "pelanggan.langganan"


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    """Publisher and subscriber in one; the slot is made first, or it would wait for itself."""
    with postgresql.single({"wal_level": "logical"}) as one:
        for name in ("penerbit", "pelanggan"):
            one.sql(f"create database {name}")
            one.sql("create table surat (id int primary key)", database=name)
        one.sql("create publication terbitan for table surat", database="penerbit")
        one.sql(
            "select pg_create_logical_replication_slot('langganan', 'pgoutput')",
            database="penerbit",
        )
        one.sql(
            f"create subscription langganan connection 'host={one.folder} port={one.port} "
            "user=postgres dbname=penerbit' publication terbitan with (create_slot = false)",
            database="pelanggan",
        )
        yield one
        one.sql("alter subscription langganan disable", database="pelanggan")
        one.sql("alter subscription langganan set (slot_name = none)", database="pelanggan")
        one.sql("drop subscription langganan", database="pelanggan")


def _works(found: Found) -> Found | None:
    up = found.get(("subscription_worker_up", NAME))
    return found if up is not None and up.value == 1 else None


def test_a_working_subscription_is_up_and_all_its_tables_are_ready(server: Server) -> None:
    until(lambda: _works(read(PROBE, server.target())), "the worker running")
    ready = ("subscription_tables_not_ready", NAME)
    until(lambda: ready not in read(PROBE, server.target()), "its tables being ready")
    assert read(PROBE, server.target())["subscription_silent_seconds", NAME].value < 60


def test_a_row_that_cannot_be_applied_is_an_error_again_and_again(server: Server) -> None:
    with session_to(server.target(), 60) as session:
        again(PROBE, session)
        server.sql("insert into surat values (7)", database="pelanggan")
        server.sql("insert into surat values (7)", database="penerbit")
        found: Any = until(lambda: _fails(again(PROBE, session)), "the error being counted")
        title = title_of(PROBE, found, "subscription_new_errors")
        assert "fails to apply changes" in title
        _subscriptions, errors = exhibits(PROBE, server.target())
        assert float(errors.rows[0][1]) >= 1
        server.sql("delete from surat", database="pelanggan")
        until(lambda: _works(again(PROBE, session)), "the subscription going on")


def _fails(found: Found) -> Found | None:
    errors = found.get(("subscription_new_errors", NAME))
    return found if errors is not None and errors.value else None


def test_a_subscription_seen_working_and_then_switched_off_is_told_and_one_never_on_is_not(
    server: Server,
) -> None:
    with session_to(server.target(), 60) as session:
        until(lambda: _works(again(PROBE, session)), "the worker running")
        server.sql("alter subscription langganan disable", database="pelanggan")
        found: Any = until(lambda: _down(again(PROBE, session)), "the worker ending")
        assert "disabled (disable_on_error?)" in title_of(PROBE, found, "subscription_worker_up")
    assert ("subscription_worker_up", NAME) not in read(PROBE, server.target())
    server.sql("alter subscription langganan enable", database="pelanggan")
    until(lambda: _works(read(PROBE, server.target())), "the worker running again")


def _down(found: Found) -> Found | None:
    up = found.get(("subscription_worker_up", NAME))
    return found if up is not None and up.value == 0 else None


def test_decoding_is_watched_on_the_publisher(server: Server) -> None:
    with session_to(server.target(), 30) as session:
        again(PROBE, session)
        found = again(PROBE, session)
        assert found["logical_spill_bytes_per_second", "langganan"].value == 0


def test_without_sight_a_subscriber_is_blind(server: Server) -> None:
    with pytest.raises(ProbeError, match="cannot see other sessions"):
        read(PROBE, server.target(user=NO_RIGHTS))
