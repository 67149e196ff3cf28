"""Dashboards: up to date, valid for Grafana's own types, and every query accepted by Prometheus."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft7Validator
from ruamel.yaml import YAML

from probes.fleet.catalogue import EVERY_DERIVED_PROBE
from probes.registry import engine_names, probes_for
from tests.dashboards.names import PROCESS, unknown
from tests.dashboards.promtool import promtool
from tools.dashboards.__main__ import FOLDER, rendered

Json = dict[str, Any]
SCHEMAS: Json = json.loads(
    Path(__file__).with_name("grafana-schema.json").read_text(encoding="utf-8")
)
# A panel's type, and the part of the schema that knows its options and its fields' own settings.
KINDS = {"timeseries": "timeseries", "stat": "stat", "table": "table"} | {
    "state-timeline": "statetimeline"
}
NAMES = tuple(rendered())
LONGEST = 4000  # lines: what somebody may still look at as one change
SCOPED = ("$job", "$instance")


def dashboards() -> dict[str, Json]:
    return {
        name: json.loads((FOLDER / name).read_text(encoding="utf-8"))
        for name in NAMES
        if (FOLDER / name).exists()
    }


def panels(dashboard: Json) -> Iterator[Json]:
    """Every panel that shows something, those in collapsed rows included."""
    for each in dashboard["panels"]:
        if each["type"] == "row":
            yield from each["panels"]
        else:
            yield each


ALL = [
    pytest.param(panel, id=f"{name}: {panel['title']}")
    for name, dashboard in dashboards().items()
    for panel in panels(dashboard)
]


def expressions() -> dict[str, str]:
    return {
        f"{name}: {panel['title']} {target['refId']}": target["expr"]
        for name, dashboard in dashboards().items()
        for panel in panels(dashboard)
        for target in panel["targets"]
    }


def filled(expression: str) -> str:
    """The expression as Grafana would send it."""
    for variable, value in (("__rate_interval", "1m"), ("__range", "6h"), ("__interval", "1m")):
        expression = expression.replace(f"${variable}", value)
    return re.sub(r"\$\w+", ".+", expression)


def complaints(part: str, value: object) -> list[str]:
    found = Draft7Validator(SCHEMAS[part]).iter_errors(value)
    return [f"{'/'.join(map(str, each.absolute_path))}: {each.message}" for each in found]


@pytest.mark.parametrize("name", NAMES)
def test_the_committed_dashboard_is_what_the_probes_declare_today(name: str) -> None:
    committed = (FOLDER / name).read_text(encoding="utf-8")
    fresh = committed == rendered()[name]
    assert fresh, f"{name} is stale: run `.venv/bin/python -m tools.dashboards` and commit it"


def test_no_dashboard_lies_there_that_nothing_generates() -> None:
    assert {path.name for path in FOLDER.glob("*.json")} == set(NAMES)


def test_each_engine_and_subject_has_a_dashboard_of_its_own_that_stays_readable() -> None:
    assert {"health.json", "sla.json", "host.json", "fleet.json", "mysql-locks.json"} <= set(NAMES)
    long = {name: text.count("\n") for name, text in rendered().items()}
    assert {name: lines for name, lines in long.items() if lines > LONGEST} == {}


def test_every_measure_with_a_limit_is_drawn_exactly_once() -> None:
    probes = {
        probe.name + probe.engine: probe
        for name in engine_names()
        for probe in (*probes_for(name), *EVERY_DERIVED_PROBE)
    }
    limited = [
        f'probe="{probe.name}",measure="{threshold.measure}"'
        for probe in probes.values()
        for threshold in {each.measure: each for each in probe.thresholds}.values()
    ]
    drawn = [
        re.sub(r".*(probe=.*)}\)", r"\1", expr)
        for expr in expressions().values()
        if "by (level) (sigap_threshold" in expr
    ]
    assert sorted(drawn) == sorted(limited)


def test_two_primaries_are_drawn() -> None:
    name = "sigap_cluster_surplus_primaries"
    assert [where for where, expr in expressions().items() if name in expr] != []


@pytest.mark.parametrize("name", NAMES)
def test_grafana_knows_every_key_of_the_dashboard(name: str) -> None:
    assert complaints("dashboard.Dashboard", dashboards()[name]) == []


@pytest.mark.parametrize("panel", ALL)
def test_grafana_knows_every_option_of_the_panel(panel: Json) -> None:
    kind = KINDS[panel["type"]]
    assert complaints(f"{kind}.Options", panel["options"]) == []
    if f"{kind}.FieldConfig" in SCHEMAS:
        custom = panel["fieldConfig"]["defaults"]["custom"]
        assert complaints(f"{kind}.FieldConfig", custom) == []


def test_a_misspelt_key_and_a_wrong_type_are_found() -> None:
    good = dashboards()["health.json"]
    misspelt, wrong = deepcopy(good), deepcopy(good)
    misspelt["editabel"] = False
    wrong["panels"][1]["title"] = 7
    assert complaints("dashboard.Dashboard", misspelt)
    assert complaints("dashboard.Dashboard", wrong)
    options = next(panels(good))["options"]
    assert complaints("stat.Options", options | {"colourMode": "value"})


def test_prometheus_parses_every_expression(tmp_path: Path) -> None:
    recorded = [
        {"record": f"panel:{number}", "expr": filled(expr), "labels": {"from": where}}
        for number, (where, expr) in enumerate(expressions().items())
    ]
    file = tmp_path / "panels.yaml"
    YAML().dump({"groups": [{"name": "panels", "rules": recorded}]}, file)
    said = promtool("check", "rules", file.name, folder=tmp_path)
    assert f"{len(recorded)} rules found" in said


def test_every_metric_drawn_is_exported_by_somebody() -> None:
    wrong = {where: unknown(expr) for where, expr in expressions().items()}
    assert {where: names for where, names in wrong.items() if names} == {}
    process = set(re.findall(r"\bprocess_\w+", " ".join(expressions().values())))
    assert process <= PROCESS


def test_every_selector_is_held_to_the_job_and_instance_chosen() -> None:
    loose = {
        where: selector
        for where, expr in expressions().items()
        for selector in re.findall(r"\b(?:sigap|process)_\w+(?:\{[^}]*\})?", expr)
        if not all(variable in selector for variable in SCOPED)
    }
    assert loose == {}


def test_counters_are_drawn_as_growth_over_grafanas_own_windows() -> None:
    for where, expr in expressions().items():
        for window in re.findall(r"\[([^\]]+)\]", expr):
            assert window in {"$__rate_interval", "$__range"}, where
        for function in re.findall(r"(\w+)\(sigap_\w+(?:_total|_bucket)\{", expr):
            assert function in {"rate", "increase"}, where


@pytest.mark.parametrize("panel", ALL)
def test_a_panel_says_what_it_shows_in_both_languages_and_in_which_unit(panel: Json) -> None:
    assert panel["title"].strip()
    assert re.search(r"\S / \S", panel["description"])
    assert panel["fieldConfig"]["defaults"]["unit"]
    assert panel["targets"]
    assert panel["datasource"] == {"type": "prometheus", "uid": "${datasource}"}


@pytest.mark.parametrize("name", NAMES)
def test_variables_allow_several_values_and_follow_the_time_range(name: str) -> None:
    variables = {each["name"]: each for each in dashboards()[name]["templating"]["list"]}
    assert variables["datasource"]["type"] == "datasource"
    assert {"job", "instance"} < variables.keys()
    for each in variables.values():
        if each["type"] == "query":
            assert (each["multi"], each["includeAll"], each["refresh"]) == (True, True, 2)


def test_health_can_be_narrowed_to_a_cluster_and_a_server() -> None:
    variables = {each["name"]: each for each in dashboards()["health.json"]["templating"]["list"]}
    assert "$cluster" in variables["target"]["query"]["query"]
    assert "allValue" not in variables["target"]  # ".+" would forget the cluster chosen


@pytest.mark.parametrize("name", NAMES)
def test_ids_are_single_and_panels_do_not_overlap(name: str) -> None:
    dashboard = dashboards()[name]
    everything = [*dashboard["panels"], *panels(dashboard)]
    ids = {(each["id"], each["title"]) for each in everything}
    assert len(ids) == len({number for number, _ in ids})
    taken: set[tuple[int, int]] = set()
    for each in dashboard["panels"]:
        place = each["gridPos"]
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert max(x for x, _ in cells) < 24
        assert not cells & taken, each["title"]
        taken |= cells


def test_limits_are_drawn_from_the_exported_series_and_never_typed_in() -> None:
    judged = [
        panel
        for dashboard in dashboards().values()
        for panel in panels(dashboard)
        if any("sigap_threshold" in target["expr"] for target in panel["targets"])
    ]
    assert judged
    for panel in judged:
        assert "thresholds" not in panel["fieldConfig"]["defaults"], panel["title"]
        drawn = {each["matcher"]["options"] for each in panel["fieldConfig"]["overrides"]}
        assert drawn == {"limit: warning", "limit: critical"}


def test_a_servers_row_leads_to_its_incidents() -> None:
    tables = [p for p in panels(dashboards()["health.json"]) if p["type"] == "table"]
    for each in tables:
        links = [
            link["url"]
            for override in each["fieldConfig"]["overrides"]
            if override["matcher"]["options"] == "target"
            for property in override["properties"]
            if property["id"] == "links"
            for link in property["value"]
        ]
        assert links == [
            "${sigap_url}/archive?state=open&q=${__data.fields.target:percentencode}"
        ], each["title"]
