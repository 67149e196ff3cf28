"""The whole daemon on real servers: it starts with servers down, opens incidents, reloads, and ends
in time.
"""

from __future__ import annotations

import gc
import json
import os
import shutil
import signal
import socket
import sqlite3
import subprocess
import time
import urllib.parse
import urllib.request
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from agent.daemon import settle
from probes import Address, Secret
from tests.agent.metrics.test_metrics import promtool
from tests.servers import postgresql
from tests.support.agent import Agent, running, sigap, target_lines, write_config
from tests.support.builders import a_target
from tests.support.used import note
from tests.support.wait import until

pytestmark = pytest.mark.servers
CLOSED = target_lines(a_target("mati", address=Address("127.0.0.1", 1, "sigap")))


@pytest.fixture(scope="module")
def server() -> Iterator[postgresql.Server]:
    with postgresql.single() as running_server:
        yield running_server


@pytest.fixture
def thawed(server: postgresql.Server) -> Iterator[postgresql.Server]:
    """The server, thawed again whatever a test did to it."""
    yield server
    server.thaw()


def readings(agent: Agent, target: str) -> float:
    """How often the target's availability was read."""
    start = f'sigap_probe_readings_total{{target="{target}",probe="availability"}}'
    return float((agent.metric(start) or ["0"])[0].split()[-1])


def test_it_starts_with_every_target_down_and_opens_an_incident(tmp_path: Path) -> None:
    with running(write_config(tmp_path, [CLOSED])) as agent:
        (incident,) = until("an incident", agent.incidents)
        assert (incident["target"], incident["severity"]) == ("mati", "critical")
        until("ready", lambda: agent.get("/readyz")[0] == 200)
        assert agent.get("/healthz") == (200, "ok\n")
        until(
            "the figure",
            lambda: agent.metric('sigap_incidents_open{severity="critical",step="1"} 1'),
        )
        assert agent.metric("sigap_target_up{")[0].endswith(" 0.0")
        assert said(agent, "INFO Sigap monitors 1 target and listens on http://")
        assert agent.stop() == 0


@pytest.mark.parametrize("store", ["sqlite:///sigap.db", ""], ids=["with a desk", "without"])
def test_a_warning_is_in_the_log_when_it_is_raised_and_when_it_is_over(
    thawed: postgresql.Server, tmp_path: Path, store: str
) -> None:
    limits = "{idle_in_transaction_seconds: {warning: 0.5, critical: 3600}}"
    probes = f"{{idle_in_transaction: {{every: 300ms, thresholds: {limits}}}}}"
    lines = target_lines(thawed.target("simpeg"), probes=probes)
    with running(write_config(tmp_path, [lines], store=store)) as agent:
        with thawed.hold_lock("arsip", victims=0):
            until("the warning", lambda: said(agent, "WARNING warning: simpeg: PID"))
            several = readings(agent, "simpeg") + 4
            until("several rounds", lambda: readings(agent, "simpeg") > several)
        until("its end", lambda: len(said(agent, "idle in a transaction for")) > 1)
        assert "INFO clear after" in said(agent, "idle in a transaction for")[-1]
        assert len(said(agent, "WARNING warning: simpeg: PID")) == 1, agent.log
        assert len(said(agent, "idle in a transaction for")) == 2, agent.log


def said(agent: Agent, words: str) -> list[str]:
    """The lines of the log that hold these words."""
    return [line for line in agent.log.splitlines() if words in line]


def test_a_restart_while_trouble_stands_writes_nothing_new(tmp_path: Path) -> None:
    file = write_config(tmp_path, [CLOSED])
    with running(file) as agent:
        (before,) = until("an incident", agent.incidents)
        until("its symptom", lambda: "attached" in agent.log)  # volumes of a server never reached
    head = sigap("verify", folder=tmp_path).stdout
    with running(file) as agent:
        until("several rounds", lambda: readings(agent, "mati") > 5)
        until("the verdict", lambda: agent.metric("sigap_reporter_findings_total"))
        (after,) = agent.incidents()
    assert (after["number"], after["version"]) == (before["number"], before["version"])
    assert sigap("verify", folder=tmp_path).stdout == head


def test_a_wrong_password_is_an_incident_and_not_a_refusal_to_start(
    server: postgresql.Server, tmp_path: Path
) -> None:
    good = server.target("simpeg")
    wrong = replace(good, address=replace(good.address, password=Secret("salah")))
    with running(write_config(tmp_path, [target_lines(wrong)])) as agent:
        (incident,) = until("an incident", agent.incidents)
        assert incident["target"] == "simpeg"
        assert "menolak akun" in incident["title"]["id"]
        assert "salah" not in agent.log + agent.get("/metrics")[1]


def test_a_healthy_server_is_up_and_opens_nothing(
    server: postgresql.Server, tmp_path: Path
) -> None:
    with running(write_config(tmp_path, [target_lines(server.target("simpeg"))])) as agent:
        until(
            "the server up",
            lambda: (
                agent.metric("sigap_target_up{")[0:1]
                and "1.0" in agent.metric("sigap_target_up{")[0]
            ),
        )
        until(
            "several rounds",
            lambda: float(agent.metric("sigap_probe_readings_total")[0].split()[-1]) > 5,
        )
        assert agent.incidents("all") == []
        (sessions,) = agent.metric("sigap_agent_sessions{")
        assert float(sessions.split()[-1]) == 1.0
        promtool(agent.get("/metrics")[1].encode())


def test_a_frozen_server_delays_no_other_and_does_not_hold_the_end(
    thawed: postgresql.Server, tmp_path: Path
) -> None:
    file = write_config(tmp_path, [target_lines(thawed.target("beku")), CLOSED])

    with running(file) as agent:
        until("a reading of both", lambda: readings(agent, "beku") and readings(agent, "mati"))
        thawed.freeze()
        until(
            "an incident of the frozen one",
            lambda: any(i["target"] == "beku" for i in agent.incidents()),
        )
        before = readings(agent, "mati")
        until("the other going on", lambda: readings(agent, "mati") >= before + 5)
        started = time.monotonic()
        assert agent.stop() == 0
        assert time.monotonic() - started < 3.0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_ends_on_a_signal_and_leaves_no_session(
    server: postgresql.Server, tmp_path: Path, number: int
) -> None:
    sessions = "select count(*) from pg_stat_activity where application_name like 'sigap/%%'"
    with running(write_config(tmp_path, [target_lines(server.target("simpeg"))])) as agent:
        until("a session", lambda: server.sql(sessions)[0][0] > 0)
        started = time.monotonic()
        assert agent.stop(number) == 0
        assert time.monotonic() - started < 3.0
        until("no session left", lambda: server.sql(sessions)[0][0] == 0)
        assert "Sigap has stopped" in agent.log


def test_a_reload_takes_over_targets_and_keeps_untouched_sessions(
    server: postgresql.Server, tmp_path: Path
) -> None:
    simpeg = target_lines(server.target("simpeg"))
    with running(write_config(tmp_path, [simpeg])) as agent:
        logins = 'sigap_agent_logins_total{target="simpeg"}'
        until("the first login", lambda: agent.metric(logins))
        # The oldest: expensive questions open a session of their own now and then.
        pids = (
            "select pid from pg_stat_activity where application_name like 'sigap/kept%%' "
            "order by backend_start limit 1"
        )
        until("the kept session", lambda: server.sql(pids))
        before = server.sql(pids)
        write_config(tmp_path, [simpeg, CLOSED])
        agent.hang_up()
        until("the new target", lambda: agent.metric('sigap_target_up{target="mati"'))
        assert server.sql(pids) == before
        write_config(tmp_path, [simpeg])
        agent.hang_up()
        until("the target gone", lambda: "mati" not in agent.get("/metrics")[1])
        assert agent.metric("sigap_config_last_reload_successful") == [
            "sigap_config_last_reload_successful 1.0"
        ]


def test_a_bad_reload_changes_nothing_and_is_told(tmp_path: Path) -> None:
    file = write_config(tmp_path, [CLOSED])
    with running(file) as agent:
        until("a reading", lambda: agent.metric("sigap_target_up{"))
        file.write_text(file.read_text() + "colour: red\n")
        agent.hang_up()
        failed = "sigap_config_last_reload_successful 0.0"
        until(
            "the refusal", lambda: agent.metric("sigap_config_last_reload_successful") == [failed]
        )
        assert "colour: unknown key" in agent.log
        assert agent.metric("sigap_target_up{")
        assert agent.process.poll() is None


def test_a_taken_port_ends_it_with_one_sentence(tmp_path: Path) -> None:
    file = write_config(tmp_path, [CLOSED])
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        file.write_text(file.read_text().replace("127.0.0.1:0'", f"127.0.0.1:{port}'"))
        done = sigap("run", folder=tmp_path)
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1, done.stderr
    assert f"port {port} on 127.0.0.1 is in use" in done.stderr


def test_a_store_that_cannot_be_opened_is_one_sentence(tmp_path: Path) -> None:
    write_config(tmp_path, [CLOSED], store="sqlite:///nowhere/sigap.db")
    done = sigap("run", folder=tmp_path)
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert "nowhere" in done.stderr.splitlines()[-1]


def test_a_store_that_stops_taking_writes_blinds_nobody_and_loses_nothing(tmp_path: Path) -> None:
    file = write_config(tmp_path, [CLOSED])
    other = target_lines(a_target("lain", address=Address("127.0.0.1", 2, "sigap")))
    with running(file) as agent:
        until("the first incident", lambda: len(agent.incidents()) == 1)
        holder = sqlite3.connect(tmp_path / "sigap.db", isolation_level=None)
        holder.execute("BEGIN EXCLUSIVE")
        write_config(tmp_path, [CLOSED, other])
        agent.hang_up()
        until("the other on /metrics", lambda: agent.metric('sigap_target_up{target="lain"'))
        until("the store away", lambda: agent.metric("sigap_store_up 0"), 40)
        holder.execute("ROLLBACK")
        holder.close()
        until("the second incident", lambda: len(agent.incidents()) == 2, 40)
        until("the store back", lambda: agent.metric("sigap_store_up 1"))


def test_an_agent_without_a_store_serves_metrics_and_loads_no_web_framework(
    tmp_path: Path,
) -> None:
    with running(write_config(tmp_path, [CLOSED], store="")) as agent:
        until("ready", lambda: agent.get("/readyz")[0] == 200)
        assert agent.metric('sigap_target_up{target="mati"')
        assert agent.metric("sigap_incidents") == []
        mapped = Path(f"/proc/{agent.process.pid}/maps").read_text()
        assert "argon2" not in mapped and "sqlalchemy" not in mapped
        resident = int(Path(f"/proc/{agent.process.pid}/statm").read_text().split()[1])
        megabytes = resident * os.sysconf("SC_PAGE_SIZE") / 1e6
        assert megabytes < 60, f"{megabytes:.0f} MB"
        assert agent.stop() == 0


def test_systemd_hears_that_it_is_ready_and_that_it_advances(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as channel:
        channel.bind(str(tmp_path / "notify"))
        channel.settimeout(20)
        variables = {"NOTIFY_SOCKET": str(tmp_path / "notify"), "WATCHDOG_USEC": "400000"}
        with running(write_config(tmp_path, [CLOSED], store=""), **variables) as agent:
            assert channel.recv(64) == b"READY=1"
            assert channel.recv(64) == b"WATCHDOG=1"
            agent.stop()
            heard = [b""]
            while heard[-1] != b"STOPPING=1":
                heard.append(channel.recv(64))


def test_a_real_prometheus_scrapes_it(tmp_path: Path) -> None:
    program = shutil.which("prometheus")
    if program is None:
        pytest.fail("prometheus is missing: apt-get install --no-install-recommends prometheus")
    version = subprocess.run([program, "--version"], capture_output=True, text=True, check=True)
    note("Prometheus", (version.stdout or version.stderr).split()[2])
    with running(write_config(tmp_path, [CLOSED])) as agent:
        until("an incident counted", lambda: agent.metric("sigap_incidents_opened_total"))
        where = agent.address.removeprefix("http://")
        (tmp_path / "prometheus.yml").write_text(
            "scrape_configs:\n- job_name: sigap\n"
            "  scrape_interval: 200ms\n  scrape_timeout: 200ms\n"
            f"  static_configs: [{{targets: ['{where}']}}]\n"
        )
        port = postgresql.free_port()
        with (tmp_path / "prometheus.log").open("wb") as log:
            process = subprocess.Popen(
                [
                    program,
                    f"--config.file={tmp_path}/prometheus.yml",
                    f"--storage.tsdb.path={tmp_path}/data",
                    f"--web.listen-address=127.0.0.1:{port}",
                ],
                stdout=log,
                stderr=log,
            )
        try:
            wanted = 'sigap_finding_severity{target="mati",measure="up"} == 2'

            def asked(query: str) -> list[Any]:
                words = urllib.parse.urlencode({"query": query})
                address = f"http://127.0.0.1:{port}/api/v1/query?{words}"
                try:
                    with urllib.request.urlopen(address, timeout=5) as answer:
                        found: list[Any] = json.load(answer)["data"]["result"]
                        return found
                except OSError:
                    return []

            until("the finding in Prometheus", lambda: asked(wanted), 40)
            assert asked('up{job="sigap"} == 1')
            assert asked('sigap_incidents_open{step="1",severity="critical"} == 1')
        finally:
            process.terminate()
            process.wait(20)


def test_what_the_start_made_is_left_out_of_later_garbage_collections() -> None:
    before = gc.get_freeze_count()
    try:
        settle()
        assert gc.get_freeze_count() > before + 1000
    finally:
        gc.unfreeze()
