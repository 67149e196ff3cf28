"""Findings in any order at a real desk: each trouble stands in one incident, of one cluster."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from incidents.desk import Desk
from incidents.ledger.verify import verify
from incidents.model import Change, Outcome
from incidents.records import summaries
from incidents.store import open_store
from incidents.workflow.actions import Dismiss
from probes import Finding, Severity
from tests.incidents.builders import CALENDAR, PROCEDURE, finding
from tests.incidents.correlation.test_correlation import FINDINGS
from tests.incidents.office_of_five import desk_on, signer, walk
from tests.incidents.reported import MINUTE, NOW


@pytest.fixture(scope="module")
def template() -> Iterator[Path]:
    with TemporaryDirectory() as folder:
        file = Path(folder) / "sigap.db"
        open_store(f"sqlite:///{file}").close()
        yield file


def stated(
    target: str, measure: str, family: str, role: str, minutes: float, severity: Severity
) -> Finding:
    """A finding as the judge states it: what is critical opens."""
    at = NOW + minutes * MINUTE
    found = finding(target, measure, "", family, severity, at, role=role)
    return replace(found, opens=severity is Severity.CRITICAL)


def lag(minutes: float, severity: Severity = Severity.CRITICAL) -> Finding:
    return stated("a2", "x", "replication", "replica", minutes, severity)


def down(minutes: float, severity: Severity = Severity.CRITICAL) -> Finding:
    return stated("a1", "up", "availability", "primary", minutes, severity)


BACK_AND_FORTH = [
    down(0),
    lag(0),  # a symptom of a1
    lag(1, Severity.CLEAR),
    down(2, Severity.CLEAR),
    lag(500),  # a fault of its own
    lag(501, Severity.CLEAR),
    down(502),  # a1 is down again, in its first incident
    lag(503),  # and explains it again
]
"""A symptom of a fault, then a fault of its own, then a symptom in its first incident once more."""


@settings(max_examples=30, deadline=None)
@given(st.lists(FINDINGS, max_size=25))
@example(BACK_AND_FORTH)
def test_each_trouble_stands_in_one_incident_as_the_store_says(
    template: Path, found: list[Finding]
) -> None:
    file = Path(shutil.copy(template, template.with_name("example.db")))
    store = open_store(f"sqlite:///{file}")
    desk = Desk(store, PROCEDURE, CALENDAR)
    try:
        for each in sorted(found, key=lambda each: each.at):
            about = {"cluster": each.target[0], "role": each.about["role"]}
            opens = each.severity is Severity.CRITICAL
            desk.report(replace(each, about=about, opens=opens), each.at)
        standing: dict[str, str] = {}
        for incident in desk.queries.open_incidents():
            assert len({trouble.target[0] for trouble in incident.troubles}) == 1
            assert sum(trouble.root for trouble in incident.troubles) == 1
            for trouble in incident.troubles:
                if trouble.severity:
                    assert standing.setdefault(trouble.fingerprint, incident.number) == (
                        incident.number
                    )
        with store.read() as connection:
            for fingerprint, number in standing.items():
                known, _ = summaries.history(connection, fingerprint)
                assert known is not None and known.number == number
        assert verify(store).problem is None
    finally:
        store.close()


def test_a_duplicate_gives_a_trouble_back_to_the_incident_it_came_from(tmp_path: Path) -> None:
    store = open_store(f"sqlite:///{tmp_path / 'sigap.db'}")
    desk = desk_on(store)
    numbers = [desk.report(each, each.at).number for each in BACK_AND_FORTH[:5]]
    first, own = numbers[0], numbers[-1]
    assert own != first
    now = walk(desk, own, 2, BACK_AND_FORTH[4].at)
    version = desk.queries.incident(own).version
    action = Dismiss(Outcome.DUPLICATE, "sama", version, first)
    desk.dismiss(own, action, signer("PA"), now)
    standing = [each for each in desk.queries.incident(first).troubles if each.severity]
    assert [each.target for each in standing] == ["a2"]
    again = desk.report(replace(BACK_AND_FORTH[4], at=now), now)
    assert (again.change, again.number) == (Change.NOTHING, first)
    store.close()


def test_a_trouble_returns_to_an_incident_that_had_it_before(tmp_path: Path) -> None:
    store = open_store(f"sqlite:///{tmp_path / 'sigap.db'}")
    desk = Desk(store, PROCEDURE, CALENDAR)
    numbers = [desk.report(each, each.at).number for each in BACK_AND_FORTH]
    first, own = numbers[0], numbers[4]
    assert first != own
    assert numbers[-1] == first
    held = [each for each in desk.queries.incident(first).troubles if each.target == "a2"]
    assert [(each.raised_count, each.root) for each in held] == [(2, False)]
    assert not desk.queries.incident(own).red
    store.close()
