"""Files of deploy/: the unit is hardened as documented, and Sigap accepts the examples."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from agent.config import load

DEPLOY = Path(__file__).resolve().parents[2] / "deploy"
MOST_EXPOSED_ON_A_HOST = 3.0  # with host.conf: still well within systemd's OK (below 4)
MOST_EXPOSED = 2.0  # systemd's own scale: 10 is open, below 2 it says OK

DESK_MB = 40  # what desk and pages take beside the probes (docs/benchmarks.md)


def exposure(unit: Path) -> float:
    program = shutil.which("systemd-analyze")
    if program is None:
        pytest.fail("systemd-analyze is missing; as root on Debian: apt-get install systemd")
    done = subprocess.run(
        [program, "security", "--offline=true", "--no-pager", str(unit)],
        capture_output=True,
        text=True,
        check=True,
    )
    found = re.search(r"exposure level for \S+: ([\d.]+)", done.stdout)
    assert found, done.stdout
    return float(found[1])


def settings(unit: str) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for key, value in re.findall(r"^(\w+)=(.*)$", unit, re.MULTILINE):
        found.setdefault(key, []).append(value)
    return found


def read(name: str) -> Any:
    return YAML(typ="safe").load(DEPLOY / name)


def test_systemd_rates_the_unit_as_closed() -> None:
    assert exposure(DEPLOY / "sigap.service") < MOST_EXPOSED


def test_what_the_drop_in_opens_is_just_what_two_questions_need(tmp_path: Path) -> None:
    unit = (DEPLOY / "sigap.service").read_text(encoding="utf-8")
    drop_in = (DEPLOY / "host.conf").read_text(encoding="utf-8")
    assert settings(drop_in).keys() == {
        "CapabilityBoundingSet", "AmbientCapabilities", "ProtectClock", "SystemCallFilter"
    }  # fmt: skip
    # The settings of a drop-in come after the unit's: lists add up, the rest is the last word.
    head, tail = unit.split("[Install]")
    whole = tmp_path / "whole.service"
    whole.write_text(f"{head}{drop_in}\n[Install]{tail}")
    assert exposure(whole) < MOST_EXPOSED_ON_A_HOST


def test_an_open_unit_is_rated_as_open(tmp_path: Path) -> None:
    bare = tmp_path / "bare.service"
    bare.write_text("[Service]\nExecStart=/bin/true\n")
    assert exposure(bare) > MOST_EXPOSED


def test_the_unit_does_not_show_every_volume_as_read_only() -> None:
    unit = settings((DEPLOY / "sigap.service").read_text(encoding="utf-8"))
    assert unit["ProtectSystem"] == ["full"]
    assert not unit.keys() & {"ReadOnlyPaths", "PrivateUsers", "ProtectProc", "PrivateNetwork"}


def test_the_unit_gives_way_to_the_database() -> None:
    unit = settings((DEPLOY / "sigap.service").read_text(encoding="utf-8"))
    assert int(unit["OOMScoreAdjust"][0]) > 0
    assert {"MemoryMax", "CPUQuota", "TasksMax"} <= unit.keys()


def test_the_unit_holds_a_thousand_targets() -> None:
    unit = settings((DEPLOY / "sigap.service").read_text(encoding="utf-8"))
    threads, megabytes = measured_with_a_thousand_targets()
    assert int(unit["TasksMax"][0]) > threads
    high, most = (int(unit[key][0].removesuffix("M")) for key in ("MemoryHigh", "MemoryMax"))
    assert megabytes + DESK_MB < high < most


def measured_with_a_thousand_targets() -> tuple[int, int]:
    """Threads and RSS in MB, as docs/benchmarks.md has them."""
    page = (DEPLOY.parent / "docs" / "benchmarks.md").read_text(encoding="utf-8")
    found = re.search(
        r"^(\| login .*threads.*)\n\|[-:|]+\n(\| SCRAM-SHA-256 .*)$", page, re.MULTILINE
    )
    assert found
    head, row = ([cell.strip() for cell in line.split("|")] for line in found.groups())
    cells = dict(zip(head, row, strict=True))
    return int(cells["threads"].replace(",", "")), int(cells["RSS MB"])


def test_the_guide_installs_what_the_unit_starts() -> None:
    unit = settings((DEPLOY / "sigap.service").read_text(encoding="utf-8"))
    guide = (DEPLOY.parent / "docs" / "installing.md").read_text(encoding="utf-8")
    program, *_ = unit["ExecStart"][0].split()
    assert f"python3 -m venv {Path(program).parents[1]}\n" in guide
    assert f"sudo -u {unit['User'][0]} {program} " in guide
    assert f"-o {unit['User'][0]} -g {unit['Group'][0]} {unit['WorkingDirectory'][0]}\n" in guide


def test_sigap_takes_the_configuration_of_the_compose_example() -> None:
    environment = {"SIGAP_STORE_PASSWORD": "one", "SIGAP_MONITOR_PASSWORD": "two"}
    config = load(DEPLOY / "compose" / "agent.yaml", environment)
    assert [target.name for target in config.targets] == ["sigap-store"]


def test_the_compose_example_hands_over_what_the_configuration_asks_for() -> None:
    services = read("compose/compose.yaml")["services"]
    asked = set(re.findall(r"\$\{(\w+)\}", (DEPLOY / "compose" / "agent.yaml").read_text()))
    assert asked == services["sigap"]["environment"].keys()
    assert services["sigap"]["depends_on"]["store"]["condition"] == "service_healthy"
    assert "healthcheck" in services["store"]


def test_the_compose_example_publishes_nothing_beyond_this_machine() -> None:
    services = read("compose/compose.yaml")["services"]
    published = [port for each in services.values() for port in each.get("ports", ())]
    assert published
    assert [port for port in published if not port.startswith("127.0.0.1:")] == []


def test_metrics_are_not_for_everybody_behind_the_proxy() -> None:
    proxy = (DEPLOY / "nginx.conf").read_text(encoding="utf-8")
    kept = re.search(r"location ~ \^/\(metrics\|healthz\|readyz\)\$ \{(.*?)\n    \}", proxy, re.S)
    assert kept
    assert "deny  all;" in kept[1]
