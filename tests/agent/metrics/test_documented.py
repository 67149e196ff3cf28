"""Every documented metric is exported by a running agent, and every exported one is documented.

One agent watches real servers in the states that make each series appear: replicating pairs, a
pooler with a client, a maintenance window, a closed incident and one that is late. A measure that
needs another state stands in ``ELSEWHERE``; it must then be named by a test that has that state,
and the list fails when such a measure is exported here after all.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from incidents.store import open_store
from probes import registry
from probes.fleet.catalogue import EVERY_DERIVED_PROBE
from tests.incidents.office_of_five import desk_on, finding, hire, walk
from tests.probes.mysql.conftest import declared_grants
from tests.servers import mariadb, pgbouncer, postgresql
from tests.support.agent import ROOT, Agent, running, target_lines
from tools.dashboards.judged import series

pytestmark = [pytest.mark.servers, pytest.mark.slow, pytest.mark.timeout(600)]

ROW = re.compile(r"^\| `(sigap_\w+)` \| (\w+) \|", re.MULTILINE)
SUFFIXES = ("_bucket", "_sum", "_count", "_created")
SETTINGS = """\
agent: {name: db01, listen: '127.0.0.1:0', interval: 2s, deadline: 2s}
store: sqlite:///sigap.db
maintenance:
  - {name: bersih-bersih, at: '00:00', lasts: 24h, targets: [surat-2]}
"""

ELSEWHERE: Mapping[str, str] = {
    "members declared or learned that are missing, or that changed": """
        declared_channel_missing declared_member_missing declared_slot_missing
        declared_standby_missing declared_upstream_wrong declared_volume_missing
        learned_channel_missing_seconds learned_member_missing_seconds learned_primary_read_only
        learned_slot_missing_seconds learned_standby_missing_seconds learned_volume_missing_seconds
        role_changed""",
    "servers on several hosts, of which some do not answer": """
        agent_unreached_targets host_unreached_targets""",
    "a folder of backups": """
        backup_age_seconds backup_count backup_full_age_seconds backup_full_count""",
    "a host with swap": "host_swap_used_ratio",
    "a Galera cluster": """
        mysql_galera_member mysql_galera_nodes mysql_galera_paused_ratio mysql_galera_ready
        mysql_galera_receive_queue mysql_galera_synced""",
    "Group Replication": """
        mysql_group_has_quorum mysql_group_member mysql_group_member_online
        mysql_group_members_online mysql_group_queue_transactions""",
    "semi-synchronous replication": """
        mysql_semi_sync_active mysql_semi_sync_clients mysql_semi_sync_replica_active
        mysql_semi_sync_stalled_sessions mysql_semi_sync_unconfirmed_transactions
        mysql_semi_sync_waiting_sessions""",
    "the canary table": """
        mysql_canary_commit_seconds mysql_canary_ok postgresql_canary_commit_seconds
        postgresql_canary_ok""",
    "a heartbeat table": """
        mysql_heartbeat_age_seconds mysql_heartbeat_late_seconds mysql_heartbeat_unwritten_seconds
        postgresql_heartbeat_age_seconds postgresql_heartbeat_late_seconds
        postgresql_heartbeat_unwritten_seconds""",
    "accounts or databases with limits of their own": """
        mysql_account_connections_used_ratio postgresql_connection_limit_used_ratio
        pgbouncer_client_limit_used_ratio""",
    "TLS": """
        mysql_tls_certificate_expires_in_seconds postgresql_tls_certificate_expires_in_seconds""",
    "a restart or a crash": """
        mysql_crash_recovered mysql_since_restart_seconds postgresql_since_restart_seconds""",
    "archiving of the write-ahead log": """
        postgresql_archive_failing_seconds postgresql_archive_oldest_ready_seconds
        postgresql_archive_ready_files postgresql_archive_unset_seconds""",
    "checksums": "postgresql_checksum_failures",
    "logical replication, or a standby that is late on purpose": """
        postgresql_logical_spill_bytes_per_second postgresql_replication_delayed_bytes
        postgresql_slot_held_xids postgresql_slot_lost_in_seconds
        postgresql_slot_unconfirmed_bytes postgresql_standby_connected
        postgresql_subscription_new_errors postgresql_subscription_silent_seconds
        postgresql_subscription_tables_not_ready postgresql_subscription_worker_up""",
    "sequences that have used up a good part of their numbers": """
        mysql_auto_increment_used_ratio postgresql_sequence_used_ratio""",
    "a pooler that an administrator paused": "pgbouncer_pooler_held",
    "binary logs that expire": "mysql_binlog_retention_seconds",
}
"""What a documented measure needs that the servers here do not have, without ``sigap_``."""

LATER = """
    mysql_disk_growth_bytes_per_second mysql_filled_by_in_seconds
    pgbouncer_database_queries_per_second pgbouncer_database_received_bytes_per_second
    pgbouncer_database_sent_bytes_per_second pgbouncer_database_transaction_seconds
    pgbouncer_database_transactions_per_second postgresql_checkpoint_requested_ratio
    postgresql_disk_growth_bytes_per_second postgresql_filled_by_in_seconds
    volume_full_in_seconds volume_growth_bytes_per_second"""
"""Measures of what changes over minutes or hours: a quick machine may see them here, or not."""


def names(words: str) -> set[str]:
    return {f"sigap_{word}" for word in words.split()}


NOT_HERE = set().union(*map(names, ELSEWHERE.values()))


CONTRACT = """
    target_up probe_success probe_duration_seconds probe_last_reading_timestamp_seconds
    probe_failures_total finding_severity threshold incidents_open incidents_opened_total
    incidents_closed_total sla_step_signed_total sla_overall_closed_total sla_step_working_seconds
    sla_next_due_timestamp_seconds sla_open_breaches step_visits_total time_to_acknowledge_seconds
    ledger_head_sequence ledger_verified_timestamp_seconds agent_sessions agent_db_seconds_total"""
"""The series that dashboards and alerts elsewhere may rely on, without ``sigap_``."""


def documented() -> dict[str, str]:
    """Name and kind of the agent's own series, from the page people read."""
    return dict(ROW.findall((ROOT / "docs" / "metrics.md").read_text(encoding="utf-8")))


def measured() -> set[str]:
    """The series of every measure of every probe, as docs/probes.md lists them."""
    return {
        series(probe, measure)
        for name in registry.engine_names()
        for probe in (*registry.probes_for(name), *EVERY_DERIVED_PROBE)
        for measure in probe.measures
    }


def kept_store(folder: Path) -> None:
    """A store with an incident that is closed, and one that is late at its first step."""
    store = open_store(f"sqlite:///{folder}/sigap.db")
    hire(store)
    desk = desk_on(store)
    then = datetime.now(UTC) - timedelta(days=20)
    for target in ("lama", "terlambat"):
        desk.report(finding(target=target), then)
    number = desk.queries.open_incidents()[0].number
    walk(desk, number, 0, then)
    assert len(desk.queries.open_incidents()) == 1
    store.close()


@pytest.fixture(scope="module")
def agent(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Agent]:
    folder = tmp_path_factory.mktemp("agent")
    kept_store(folder)
    with ExitStack() as stack:
        simpeg = stack.enter_context(postgresql.pair())
        surat = stack.enter_context(mariadb.pair(declared_grants()))
        pooler = stack.enter_context(pgbouncer.in_front_of(simpeg.primary))
        watched = [
            target_lines(
                simpeg.primary.target("simpeg-1", role="primary"), cluster="simpeg", role="primary"
            ),
            target_lines(
                simpeg.replica.target("simpeg-2", role="replica"), cluster="simpeg", role="replica"
            ),
            target_lines(surat.primary.target(name="surat-1"), cluster="surat", role="primary"),
            target_lines(surat.replica.target(name="surat-2"), cluster="surat", role="replica"),
            target_lines(pooler.target("pooler"), cluster="simpeg"),
        ]
        stack.callback(pooler.connect().close)
        file = folder / "agent.yaml"
        file.write_text(SETTINGS + "targets:\n" + "".join(watched), encoding="utf-8")
        yield stack.enter_context(running(file))


def exported(agent: Agent) -> set[str]:
    """The families with at least one sample, by the names that the pages use."""
    kinds = documented()
    found = set()
    for line in agent.get("/metrics")[1].splitlines():
        name = re.split(r"[ {]", line, maxsplit=1)[0]
        bare = next((name.removesuffix(end) for end in SUFFIXES if name.endswith(end)), name)
        found.add(bare if kinds.get(bare) == "histogram" else name)
    return {name for name in found if name.startswith("sigap_")}


def test_every_documented_metric_is_exported_and_every_exported_one_documented(
    agent: Agent,
) -> None:
    expected = documented().keys() | (measured() - NOT_HERE - names(LATER))

    def missing() -> list[str]:
        return sorted(expected - exported(agent))

    end = time.monotonic() + 240
    while missing() and time.monotonic() < end:
        time.sleep(1)
    assert missing() == []
    found = exported(agent)
    assert sorted(found - documented().keys() - measured()) == []
    assert sorted(found & NOT_HERE) == [], "these need no excuse any more: take them off the list"


def test_the_list_of_what_needs_another_state_names_measures_that_there_are() -> None:
    assert sorted((NOT_HERE | names(LATER)) - measured()) == []


def test_what_is_not_tried_here_is_tried_by_a_test_that_has_the_state() -> None:
    here = Path(__file__)
    texts = [
        path.read_text(encoding="utf-8") for path in (ROOT / "tests").rglob("*.py") if path != here
    ]
    everything = "\n".join(texts)
    bare = {re.sub(r"^sigap_(?:mysql_|postgresql_|pgbouncer_)?", "", name) for name in NOT_HERE}
    assert sorted(name for name in bare if not re.search(rf"\b{name}\b", everything)) == []


def test_the_contracts_metrics_are_documented() -> None:
    own = documented()
    kinds = {name: own[name] for name in names(CONTRACT)}
    assert [n for n, kind in kinds.items() if n.endswith("_total") != (kind == "counter")] == []
