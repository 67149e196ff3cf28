"""The registry finds every declaration, and reports incorrect ones."""

from __future__ import annotations

import re

import pytest

from probes import registry
from probes.fleet import cluster_roles, reachability, self_cost
from probes.fleet.membership import DERIVED_PROBES


def test_engines_are_the_folders() -> None:
    assert registry.engine_names() == ("mysql", "pgbouncer", "postgresql")


def test_an_unknown_engine_is_answered_with_the_known_ones() -> None:
    with pytest.raises(registry.RegistryError, match="known: mysql, pgbouncer, postgresql"):
        registry.engine("oracle")


@pytest.mark.parametrize("engine", ["postgresql", "mysql"])
def test_every_target_is_first_asked_whether_it_can_be_used_at_all(engine: str) -> None:
    first = registry.probes_for(engine)[0]
    assert first.name == "availability"
    assert first.judged_on_failure == "up"


@pytest.mark.parametrize("engine", ["postgresql", "mysql"])
def test_every_probe_speaks_both_languages_and_names_its_units(engine: str) -> None:
    for probe in registry.probes_for(engine):
        said = [probe.question, probe.runbook]
        said += [text for t in probe.thresholds for text in (t.title, t.hint)]
        assert all(text.id.strip() and text.en.strip() for text in said), probe.name
        for measure in probe.measures:
            assert measure.help.strip()
            assert re.fullmatch(r"[a-z][a-z0-9_]*", measure.name)
            if measure.unit in ("seconds", "bytes", "ratio"):
                named = rf".*_{measure.unit}(_per_second)?"
                assert re.fullmatch(named, measure.name), measure.name


@pytest.mark.parametrize("engine", ["postgresql", "mysql"])
def test_a_title_asks_for_the_same_facts_in_both_languages(engine: str) -> None:
    for probe in registry.probes_for(engine):
        for threshold in probe.thresholds:
            for text in (threshold.title, threshold.hint, threshold.headline):
                asked = [set(re.findall(r"{(\w+)}", words)) for words in (text.id, text.en)]
                assert asked[0] == asked[1], (probe.name, threshold.measure)


@pytest.mark.parametrize("engine", ["postgresql", "mysql"])
def test_a_trouble_has_a_name_that_stays_true_while_its_figures_move(engine: str) -> None:
    probes = (
        *registry.probes_for(engine),
        *DERIVED_PROBES,
        cluster_roles.PROBE,
        self_cost.PROBE,
        reachability.PROBE,
    )
    for probe in probes:
        for threshold in probe.thresholds:
            where = (probe.name, threshold.measure)
            if "{value}" in threshold.title.en:
                assert threshold.headline.en, where
            for words in (threshold.headline.id, threshold.headline.en):
                assert not set(re.findall(r"{(\w+)}", words)) & MOVING, where


MOVING = {
    "value",
    "limit",
    "since",
    "took",
    "by",
    "used",
    "room",
    "free",
    "retained",
    "last",
    "first",
}
"""Facts that are another figure at each reading."""
