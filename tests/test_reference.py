"""The generated pages of docs/ match the code's declarations."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from importlib import import_module

import pytest

from probes import Probe
from probes.fleet.observation import DERIVED
from tools.reference import PAGES, ROOT


@pytest.mark.parametrize("page", PAGES)
def test_the_committed_page_is_what_the_code_declares_today(page: str) -> None:
    kept = (ROOT / "docs" / page).read_text(encoding="utf-8")
    assert kept == PAGES[page](), "run: make generated"


def test_no_probe_the_agent_declares_is_left_out() -> None:
    declared = {
        probe.name
        for file in (ROOT / "probes" / "fleet").glob("*.py")
        for probe in probes_in(vars(import_module(f"probes.fleet.{file.stem}")).values())
        if probe.engine == DERIVED
    }
    assert {"own_cost", "cluster_roles", "reach", "expected_standbys"} <= declared
    page = PAGES["probes.md"]()
    assert [name for name in sorted(declared) if f"\n### {name}\n" not in page] == []


def probes_in(values: Iterable[object]) -> Iterator[Probe]:
    """The probes a module names, by themselves or in a tuple or dict."""
    for value in values:
        if isinstance(value, Probe):
            yield value
        elif isinstance(value, tuple):
            yield from probes_in(value)
        elif isinstance(value, dict):
            yield from probes_in(value.values())


def test_the_metrics_of_the_contract_are_all_on_the_page() -> None:
    page = PAGES["metrics.md"]()
    for name in (
        "sigap_target_up",
        "sigap_probe_success",
        "sigap_probe_failures_total",
        "sigap_finding_severity",
        "sigap_threshold",
        "sigap_incidents_open",
        "sigap_incidents_opened_total",
        "sigap_incidents_closed_total",
        "sigap_sla_step_signed_total",
        "sigap_sla_overall_closed_total",
        "sigap_sla_step_working_seconds",
        "sigap_sla_next_due_timestamp_seconds",
        "sigap_sla_open_breaches",
        "sigap_step_visits_total",
        "sigap_time_to_acknowledge_seconds",
        "sigap_ledger_head_sequence",
        "sigap_ledger_verified_timestamp_seconds",
        "sigap_agent_sessions",
        "sigap_agent_db_seconds_total",
    ):
        assert f"`{name}`" in page, name
