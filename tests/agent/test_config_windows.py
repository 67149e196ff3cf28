"""Maintenance windows and expected members in agent.yaml: every mistake is reported with its
place.
"""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from agent.config import Config, ConfigError, load
from agent.runtime.maintenance import Maintenance
from probes import Expectations
from tests.support.agent import target_lines
from tests.support.builders import NOON, a_target


def config(folder: Path, windows: str = "", **lines: str) -> Config:
    file = folder / "agent.yaml"
    body = "targets:\n" + target_lines(a_target(), cluster="c1", **lines)
    file.write_text(body + (f"maintenance:\n{windows}" if windows else ""))
    return load(file)


def problem(folder: Path, windows: str, **lines: str) -> str:
    with pytest.raises(ConfigError) as caught:
        config(folder, windows, **lines)
    assert len(caught.value.problems) == 1, str(caught.value)
    return str(caught.value.problems[0])


def test_a_window_written_once_is_on_in_its_own_zone(tmp_path: Path) -> None:
    made = config(tmp_path, "  - {name: patch, from: 2026-11-23 12:00, to: 2026-11-23 14:00}\n")
    on = Maintenance(made.windows).over([made.targets[0]], NOON)  # 12.00 WITA
    assert on is not None
    assert on.until == NOON + timedelta(hours=2)


def test_a_window_again_and_again_takes_every_day_unless_told(tmp_path: Path) -> None:
    made = config(tmp_path, "  - {name: backup, clusters: [c1], at: '11:30', lasts: 1h}\n")
    windows = Maintenance(made.windows)
    for day in range(7):
        assert windows.over([made.targets[0]], NOON + timedelta(days=day)) is not None


def test_a_window_of_one_target_is_about_that_target_alone(tmp_path: Path) -> None:
    made = config(tmp_path, maintenance="[{name: x, at: '12:00', lasts: 1h}]")
    (window,) = made.windows
    assert window.targets == {"simpeg"}


def test_windows_of_further_files_add_up(tmp_path: Path) -> None:
    (tmp_path / "conf.d").mkdir()
    (tmp_path / "conf.d" / "work.yaml").write_text(
        "maintenance:\n  - {name: b, at: '01:00', lasts: 1h}\n"
    )
    made = config(tmp_path, "  - {name: a, at: '02:00', lasts: 1h}\n")
    assert {window.name for window in made.windows} == {"a", "b"}


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("{name: x}", "maintenance[0]: needs either 'from' and 'to' (once), or 'at' and 'lasts'"),
        ("{name: x, from: 2026-11-23 12:00, at: '12:00', lasts: 1h, to: x}", "needs either"),
        ("{name: x, from: soon, to: 2026-11-23 12:00}", "maintenance[0].from: must be a date"),
        ("{name: x, from: 2026-11-23 12:00, to: 2026-11-22 12:00}", "must come after 'from'"),
        ("{name: x, at: '25:00', lasts: 1h}", "maintenance[0].at: must be a time of day"),
        ("{name: x, at: '12:00', lasts: 8d}", "at most 7d"),
        ("{name: x, at: '12:00', lasts: 1h, zone: Asia/Makasar}", "is not a time zone"),
        ("{name: x, at: '12:00', lasts: 1h, targets: [simpg]}", "did you mean 'simpeg'?"),
        ("{name: x, at: '12:00', lasts: 1h, clusters: [c2]}", "'c2' is not a configured name"),
        ("{name: x, at: '12:00', lasts: 1h, days: [monday]}", "maintenance[0].days[0]"),
        ("{name: x, at: '12:00', last: 1h}", "maintenance[0].last"),
        ("{name: x, until: 2026-11-23 12:00}", "days, from, lasts, name, targets, to"),
    ],
)
def test_a_mistake_in_a_window_is_named(tmp_path: Path, written: str, said: str) -> None:
    assert said in problem(tmp_path, f"  - {written}\n")


def test_what_is_expected_becomes_part_of_the_target(tmp_path: Path) -> None:
    made = config(tmp_path, expects="{role: primary, slots: [s1], standbys: [r1], upstream: db1}")
    (target,) = made.targets
    assert target.role == "primary"
    assert target.expects == Expectations(standbys=("r1",), slots=("s1",), upstream="db1")


def test_members_that_no_probe_of_the_engine_can_see_are_refused(tmp_path: Path) -> None:
    file = tmp_path / "agent.yaml"
    expects = "{slots: [s1], standbys: [r1], channels: [default]}"
    file.write_text("targets:\n" + target_lines(a_target(engine="mysql"), expects=expects))
    with pytest.raises(ConfigError) as caught:
        load(file)
    (found,) = caught.value.problems
    assert found.path == "targets[0].expects.slots"
    assert found.message == "no probe of mysql can see slots, so none could be missed"


def test_two_expected_roles_that_contradict_are_a_problem(tmp_path: Path) -> None:
    said = problem(tmp_path, "", role="replica", expects="{role: primary}")
    assert "targets[0].expects.role: contradicts" in said


def test_learned_things_are_kept_where_the_configuration_says(tmp_path: Path) -> None:
    file = tmp_path / "agent.yaml"
    body = "targets:\n" + target_lines(a_target())

    def state(*lines: str, **environment: str) -> Path | None:
        file.write_text("\n".join((*lines, body)))
        return load(file, environment).state

    assert state("agent: {state: memory}") == tmp_path / "memory"
    assert state("store: sqlite:///data/sigap.db") == tmp_path / "data"
    assert state(STATE_DIRECTORY="/var/lib/sigap") == Path("/var/lib/sigap")
    assert state() == tmp_path
