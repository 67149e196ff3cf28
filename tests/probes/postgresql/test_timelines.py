"""An old primary that returns as a standby of its successor is distinguished from a copy."""

from __future__ import annotations

import pytest

from probes.postgresql.replication.replication_lag import PROBE
from tests.probes.postgresql.asking import values
from tests.servers import postgresql
from tests.servers.postgresql import SUPERUSER, until

pytestmark = pytest.mark.servers


def test_a_standby_that_cannot_follow_says_on_which_timeline_it_stands() -> None:
    with postgresql.pair() as pair:
        old, new = pair.primary, pair.replica
        new.sql("select pg_promote()")
        until(lambda: values(PROBE, new.target()).get("timeline") == 2, "a new timeline")
        old.sql("create table sesudah_bercabang (id int)")  # what its successor never had
        old.stop()
        (old.data / "standby.signal").touch()
        conninfo = f"host={new.folder} port={new.port} user={SUPERUSER}"
        old.settings["primary_conninfo"] = conninfo
        old.start()
        until(lambda: "forked off" in old.log_tail(100_000), "the standby refusing the fork")
        found = values(PROBE, old.target())
        assert (found["receiver_up"], found["timeline"]) == (0, 1)
        assert "replication_lag_seconds" not in found
