"""Incident metrics: computed from the desk's records, counted once, kept while the store is
down.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry, generate_latest

from agent.metrics.registry import Gathered
from agent.metrics.sla_metrics import Figures, Spread
from incidents.calendar import load as calendar
from incidents.desk import Desk
from incidents.model import Assignment, Decision, Outcome, Person
from incidents.people.accounts import People
from incidents.procedure import load as procedure
from incidents.procedure.model import Field, FieldKind
from incidents.store import Store, StoreUnavailable, open_store
from incidents.workflow.actions import Claim, Dismiss, Sign
from probes import Severity
from tests.agent.metrics.test_metrics import promtool
from tests.support.builders import NOON, a_finding
from tests.support.words import both


class Office:
    """A desk over a file, with one person who may sign steps 1 and 2."""

    def __init__(self, folder: Path) -> None:
        self.store: Store = open_store(f"sqlite:///{folder}/sigap.db")
        steps, hours = procedure.load("kaltim"), calendar.load("kaltim")
        self.desk = Desk(self.store, steps, hours)
        self.people = People(self.store)
        self.people.add(Person("ani", "Ani"), "kunci-Rumah-9", NOON)
        for role in ("PP", "PA"):
            self.people.assign(Assignment("ani", role), NOON)
        self.steps = [step.number for step in steps.steps]
        self.figures = Figures(self.desk, self.steps)

    def lines(self, figures: Figures | None = None) -> list[str]:
        registry = CollectorRegistry()
        registry.register(Gathered((figures or self.figures).collect))
        return generate_latest(registry).decode().splitlines()

    def value(self, series: str, figures: Figures | None = None) -> float | None:
        found = [line for line in self.lines(figures) if line.startswith(series + " ")]
        return float(found[0].rsplit(" ", 1)[1]) if found else None


@pytest.fixture
def office(tmp_path: Path) -> Iterator[Office]:
    made = Office(tmp_path)
    yield made
    made.store.close()


def test_nothing_is_said_before_the_first_fold(office: Office) -> None:
    assert office.lines() == []


def test_an_open_incident_is_counted_by_step_severity_source_and_family(office: Office) -> None:
    office.desk.report(a_finding(), NOON)
    office.figures.refresh(NOON)
    assert office.value('sigap_incidents_open{severity="critical",step="1"}') == 1
    assert office.value('sigap_incidents_open{severity="warning",step="1"}') == 0
    opened = 'sigap_incidents_opened_total{family="availability",source="probe"}'
    assert office.value(opened) == 1
    assert office.value("sigap_ledger_head_sequence") == 1
    due = office.value('sigap_sla_next_due_timestamp_seconds{step="1"}')
    assert due is not None and due > NOON.timestamp()
    assert office.value('sigap_sla_next_due_timestamp_seconds{step="2"}') is None
    number = office.desk.queries.open_incidents()[0].number
    assert office.figures.incident_of(str(a_finding().fingerprint)) == number


def test_folding_again_counts_nothing_twice(office: Office) -> None:
    office.desk.report(a_finding(), NOON)
    for minute in range(3):
        office.figures.refresh(NOON + timedelta(minutes=minute))
    assert office.value('sigap_incidents_opened_total{family="availability",source="probe"}') == 1


def test_a_claim_is_the_acknowledgement(office: Office) -> None:
    number = office.desk.report(a_finding(), NOON).number
    ani = office.people.signer("ani", NOON.date())
    assert ani is not None
    office.desk.claim(number, Claim(version=1), ani, NOON + timedelta(minutes=2))
    office.figures.refresh(NOON + timedelta(minutes=3))
    assert office.value("sigap_time_to_acknowledge_seconds_count") == 1
    assert office.value("sigap_time_to_acknowledge_seconds_sum") == 120
    assert office.value('sigap_time_to_acknowledge_seconds_bucket{le="60.0"}') == 0
    assert office.value('sigap_time_to_acknowledge_seconds_bucket{le="300.0"}') == 1


def test_a_late_step_is_an_open_breach(office: Office) -> None:
    office.desk.report(a_finding(), NOON)
    office.figures.refresh(NOON + timedelta(days=1))
    assert office.value('sigap_sla_open_breaches{step="1"}') == 1
    assert office.value('sigap_sla_open_breaches{step="overall"}') == 0


@pytest.mark.parametrize("seen_open", [True, False])
def test_a_closed_incident_is_counted_whether_it_was_seen_open_or_not(
    office: Office, seen_open: bool
) -> None:
    number = office.desk.report(a_finding(), NOON).number
    if seen_open:
        office.figures.refresh(NOON)
    closed_by_hand(office, number)
    office.figures.refresh(NOON + timedelta(minutes=10))
    for _ in range(2):
        assert office.value('sigap_incidents_closed_total{outcome="not_a_disruption"}') == 1
        assert office.value('sigap_incidents_open{severity="critical",step="1"}') == 0
        opened = 'sigap_incidents_opened_total{family="availability",source="probe"}'
        assert office.value(opened) == 1
        office.figures.refresh(NOON + timedelta(minutes=11))
    again = Figures(office.desk, office.steps)  # as after a restart
    again.refresh(NOON + timedelta(minutes=12))
    assert office.value('sigap_incidents_closed_total{outcome="not_a_disruption"}', again) == 1


@pytest.mark.parametrize("outcome", [Outcome.NOT_A_DISRUPTION, Outcome.DUPLICATE])
def test_a_dismissal_is_neither_a_standard_met_nor_a_return(
    office: Office, outcome: Outcome
) -> None:
    other = office.desk.report(a_finding(target="other"), NOON).number
    number = office.desk.report(a_finding(), NOON).number
    closed_by_hand(office, number, outcome, other if outcome is Outcome.DUPLICATE else "")
    office.figures.refresh(NOON + timedelta(minutes=10))
    assert office.value(f'sigap_incidents_closed_total{{outcome="{outcome}"}}') == 1
    assert office.value('sigap_sla_overall_closed_total{result="met"}') == 0
    assert office.value('sigap_sla_overall_closed_total{result="breached"}') == 0
    assert office.value('sigap_step_visits_total{step="1",verdict="approve"}') == 1
    assert office.value('sigap_step_visits_total{step="2",verdict="return"}') == 0
    assert office.value('sigap_step_visits_total{step="2",verdict="dismiss"}') == 1


def closed_by_hand(
    office: Office,
    number: str,
    outcome: Outcome = Outcome.NOT_A_DISRUPTION,
    duplicate_of: str = "",
) -> None:
    """Step 1 signed, step 2 dismissed."""
    ani = office.people.signer("ani", NOON.date())
    assert ani is not None
    step = office.desk.queries.procedure(number).step(1)
    form = {field.name: sample(field) for field in step.form if field.required}
    signed = office.desk.sign(
        number, Sign(1, Decision.APPROVE, form, 1), ani, NOON + timedelta(minutes=5)
    )
    office.desk.report(a_finding(severity=Severity.CLEAR), NOON + timedelta(minutes=6))
    action = Dismiss(outcome, "uji coba terencana", signed.version, duplicate_of)
    office.desk.dismiss(number, action, ani, NOON + timedelta(minutes=7))


def sample(field: Field) -> object:
    """A valid answer to a field."""
    answers: dict[FieldKind, object] = {
        FieldKind.YESNO: False,
        FieldKind.DATETIME: NOON.isoformat(),
        FieldKind.NUMBER: 1,
        FieldKind.PEOPLE: ["ani"],
        FieldKind.CHOICE: field.options[0].value if field.options else "",
    }
    return answers.get(field.kind, "keterangan")


def test_while_the_store_is_away_the_last_figures_stay(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    office.desk.report(a_finding(), NOON)
    office.figures.refresh(NOON)
    before = office.lines()

    def away() -> None:
        raise StoreUnavailable(both("mati", "away"))

    monkeypatch.setattr(office.desk.queries, "snapshot", away)
    with pytest.raises(StoreUnavailable):
        office.figures.refresh(NOON + timedelta(hours=1))
    assert office.lines() == before


def test_promtool_has_no_complaint(office: Office) -> None:
    office.desk.report(a_finding(), NOON)
    office.figures.verified(NOON)
    office.figures.refresh(NOON)
    promtool(("\n".join(office.lines()) + "\n").encode())


def test_spreads_add_up() -> None:
    one, two = Spread((1.0, 2.0)), Spread((1.0, 2.0))
    one.add(0.5)
    two.add(1.0)
    two.add(3.0)
    both = one + two
    assert both.buckets == [("1.0", 2.0), ("2.0", 2.0), ("+Inf", 3.0)]
    assert both.total == 4.5
