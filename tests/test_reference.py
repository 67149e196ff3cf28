"""The generated pages of docs/ say what the code declares today."""

from __future__ import annotations

import pytest

from tools.reference import PAGES, ROOT


@pytest.mark.parametrize("page", PAGES)
def test_the_committed_page_is_what_the_code_declares_today(page: str) -> None:
    kept = (ROOT / "docs" / page).read_text(encoding="utf-8")
    assert kept == PAGES[page](), "run: make generated"


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
