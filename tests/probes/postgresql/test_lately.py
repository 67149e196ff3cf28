"""Recent changes on the server are stored with the evidence of every probe."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from probes import registry
from probes.postgresql.storage.checkpoints import PROBE
from probes.runner import Owner
from tests.servers.machine import until
from tests.servers.postgresql import Server
from tests.support.evidence import Told, all_told

pytestmark = pytest.mark.servers


def _shown(server: Server) -> dict[str, Told]:
    owner = Owner(server.target(), registry.engine("postgresql"), 5.0)
    try:
        list(owner.round([PROBE], lambda: datetime.now(UTC)))
        taken = owner.gather(PROBE, datetime.now(UTC))
    finally:
        owner.drop()
    assert taken is not None
    return {each.title.en: each for each in all_told(taken.exhibits)}


def test_a_setting_changed_by_hand_and_its_reload_are_in_the_evidence(single: Server) -> None:
    before = str(single.sql("select pg_conf_load_time()")[0][0])
    single.sql("alter system set work_mem = '9MB'")
    single.sql("alter system set max_connections = 77")
    single.sql("alter system set primary_conninfo = 'host=x password=rahasia'")
    single.sql("select pg_reload_conf()")
    until(
        lambda: single.sql("select count(*) from pg_settings where pending_restart")[0][0] > 0,
        "the settings being read",
    )
    try:
        found = _shown(single)
    finally:
        single.sql("alter system reset all")
        single.sql("select pg_reload_conf()")
    settings = {
        row[0]: row for row in found["Settings by ALTER SYSTEM, or waiting for a restart"].rows
    }
    assert settings["work_mem"][1:3] == ("9216", "kB")
    assert settings["max_connections"][-1] == "waits for a restart"
    assert "rahasia" not in str(found)
    moments = {row[0]: row[1] for row in found["Last changes on the server"].rows}
    assert moments["the configuration was loaded"] > before
    assert "the server was started" in moments
