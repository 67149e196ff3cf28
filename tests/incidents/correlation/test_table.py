"""The shipped correlation table names only measures that a probe has, and all measures of a
slot.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from incidents.correlation.table import ANY, CausalRule, FindingPattern, shipped
from probes import Probe, Threshold, registry
from probes.fleet.catalogue import EVERY_DERIVED_PROBE

RULES = shipped().rules


def _probes() -> Iterator[Probe]:
    yield from EVERY_DERIVED_PROBE
    for engine in registry.engine_names():
        yield from registry.probes_for(engine)


def _judged() -> Iterator[tuple[Probe, Threshold]]:
    return ((probe, each) for probe in _probes() for each in probe.thresholds)


FAMILIES: dict[str, set[str]] = {"blind": set()}
for _, _threshold in _judged():
    FAMILIES.setdefault(_threshold.family, set()).add(_threshold.measure)

SLOT_MEASURES = sorted(
    {
        threshold.measure
        for probe, threshold in _judged()
        for measure in probe.measures
        if threshold.family == "replication"
        and (measure.name, measure.subject) == (threshold.measure, "slot")
    }
)


def _kinds(rule: CausalRule) -> tuple[FindingPattern, ...]:
    return (rule.cause, *rule.effects)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
def test_a_rule_names_only_what_some_probe_judges_in_that_family(rule: CausalRule) -> None:
    for kind in _kinds(rule):
        assert kind.family in FAMILIES or kind.family == ANY
        assert set(kind.measures) <= FAMILIES.get(kind.family, set())
        assert set(kind.but) <= FAMILIES.keys()


@pytest.mark.parametrize("measure", SLOT_MEASURES)
def test_no_measure_of_a_slot_is_forgotten_where_its_reader_left(measure: str) -> None:
    (rule,) = [each for each in RULES if each.name == "standby_left_its_slot"]
    (effect,) = rule.effects
    assert measure in effect.measures


@pytest.mark.parametrize("measure", SLOT_MEASURES)
def test_every_measure_of_a_slot_is_cause_or_effect_of_its_loss(measure: str) -> None:
    (rule,) = [each for each in RULES if each.name == "slot_is_being_lost"]
    named = {each for kind in _kinds(rule) for each in kind.measures}
    gone = {"declared_slot_missing", "learned_slot_missing_seconds"}  # somebody dropped it
    assert measure in named | gone
