"""Rules and alerts: valid for Prometheus, fire when they should and only then, and have a
runbook.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from tests.dashboards.names import unknown
from tests.dashboards.promtool import promtool

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "dashboards" / "prometheus"
CASES = ("tests.yaml", "tests-days.yaml")

Rule = Mapping[str, Any]


def rules(name: str) -> list[Rule]:
    groups = YAML(typ="safe").load(FOLDER / name)["groups"]
    return [rule for group in groups for rule in group["rules"]]


ALERTS = {rule["alert"]: rule for rule in rules("alerts.yaml")}


def expectations() -> Iterator[tuple[str, bool]]:
    """Alert name, and whether it is expected to fire, for every line of the rule tests."""
    for name in CASES:
        for case in YAML(typ="safe").load(FOLDER / name)["tests"]:
            for line in case.get("alert_rule_test", ()):
                yield line["alertname"], bool(line["exp_alerts"])


def anchors(page: str) -> set[str]:
    """Headings of a Markdown page as GitHub links to them."""
    headings = re.findall(r"^#+ (.+)$", page, re.MULTILINE)
    return {re.sub(r"[^\w -]", "", each).strip().lower().replace(" ", "-") for each in headings}


def test_prometheus_takes_the_rules_and_alerts() -> None:
    promtool("check", "rules", "rules.yaml", "alerts.yaml", folder=FOLDER)


@pytest.mark.parametrize("name", CASES)
def test_alerts_fire_and_keep_silent_as_written(name: str) -> None:
    promtool("test", "rules", name, folder=FOLDER)


def test_every_alert_is_seen_firing_and_silent() -> None:
    seen = set(expectations())
    assert {name for name, fires in seen if fires} == ALERTS.keys()
    assert {name for name, fires in seen if not fires} == ALERTS.keys()


@pytest.mark.parametrize("name", ALERTS)
def test_an_alert_says_how_grave_what_and_where_to_read_on(name: str) -> None:
    alert = ALERTS[name]
    assert re.fullmatch(r"Sigap([A-Z][a-z]+)+", name)
    assert alert["labels"]["severity"] in {"warning", "critical"}
    words = alert["annotations"]
    assert words["summary"].strip()
    assert words["description"].strip()
    page, _, anchor = words["runbook_url"].partition("#")
    assert anchor == name.lower()
    assert anchor in anchors((ROOT / page).read_text(encoding="utf-8"))


def test_recorded_series_are_named_level_metric_operation() -> None:
    named = [rule["record"] for rule in rules("rules.yaml")]
    assert [name for name in named if not re.fullmatch(r"[a-z_]+:sigap_[a-z_]+:\w+", name)] == []
    assert len(named) == len(set(named))


def test_every_metric_asked_for_is_exported_by_somebody() -> None:
    asked = {**{rule["record"]: rule for rule in rules("rules.yaml")}, **ALERTS}
    wrong = {name: unknown(rule["expr"]) for name, rule in asked.items()}
    assert {name: metrics for name, metrics in wrong.items() if metrics} == {}


def test_every_recorded_series_that_is_asked_for_is_recorded() -> None:
    recorded = {rule["record"] for rule in rules("rules.yaml")}
    everything = " ".join(rule["expr"] for rule in (*rules("rules.yaml"), *ALERTS.values()))
    assert set(re.findall(r"\b\w+:sigap_\w+:\w+", everything)) <= recorded


def test_an_unknown_metric_is_found() -> None:
    assert unknown("sigap_target_up + sigap_tarjet_up") == {"sigap_tarjet_up"}
