"""A team on call under its own three steps, roles and numbers: nothing of it is in code."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from incidents.desk import Desk
from incidents.documents.model import Office
from incidents.ledger.verify import verify
from incidents.model import Assignment, Basis, Decision, Outcome, Person, Refused, Signer
from incidents.notify import outbox
from incidents.people.accounts import People
from incidents.people.sessions import Sessions
from incidents.procedure import load as procedure
from incidents.store import Store
from incidents.web.access.auth import SESSION_COOKIE
from incidents.web.app import create_app
from incidents.workflow.actions import ActionRefused, Dismiss, Dispense, RefusalKind, Sign
from tests.incidents.office_of_five import HOUR, MINUTE, MONDAY, calendar_kaltim, finding

SRE = Path(__file__).resolve().parents[1] / "procedures" / "sre.yaml"
PASSWORD = "horse-battery-77"
TEAM = {"dina": "ONCALL", "edo": "ONCALL", "lia": "LEAD", "max": "MANAGER"}
OFFICE = Office("ACME", "Database team", place="Berlin", signer_name="Lia Lead")
FORMS: Mapping[int, Mapping[str, Any]] = {
    1: {"symptom": "shop is down", "service": "shop", "blast_radius": "Every customer."},
    2: {
        "root_cause": "the disk filled up with logs",
        "mitigation": "Logs moved away.",
        "mitigated_at": "2026-07-06T08:30:00+08:00",
    },
    3: {
        "still_red": "Restarting now.",
        "what_happened": "The shop was down.\nIt is up again.",
        "ticket": "OPS-17",
    },
}


@pytest.fixture
def desk(store: Store) -> Desk:
    desk = Desk(store, procedure.load(SRE), calendar_kaltim(), OFFICE)
    people = People(store, desk.queries.roles_in_use)
    for username, role in TEAM.items():
        person = Person(username, f"{username.title()} Doe", language="en")
        people.add(person, PASSWORD, MONDAY)
        people.assign(Assignment(username, role), MONDAY)
    return desk


def member(store: Store, username: str) -> Signer:
    found = People(store).signer(username, MONDAY.date())
    assert found is not None
    return found


def sign(desk: Desk, store: Store, number: str, who: str, minutes: int, **more: Any) -> None:
    incident = desk.queries.incident(number)
    decision = more.pop("decision", Decision.APPROVE)
    form = more or dict(FORMS[incident.step])
    action = Sign(incident.step, decision, form, incident.version)
    desk.sign(number, action, member(store, who), MONDAY + minutes * MINUTE)


def to_review(desk: Desk, store: Store) -> str:
    number = desk.report(finding(target="shop-db"), MONDAY).number
    sign(desk, store, number, "dina", 1)
    sign(desk, store, number, "edo", 2)
    return number


def test_its_roles_are_the_ones_that_can_be_given(desk: Desk, store: Store) -> None:
    people = People(store, desk.queries.roles_in_use)
    with pytest.raises(Refused, match="choose one of LEAD, MANAGER, ONCALL"):
        people.assign(Assignment("dina", "PP"), MONDAY)
    with pytest.raises(Refused, match="LEAD cannot be held as plt"):
        people.assign(Assignment("dina", "LEAD", Basis.PLT), MONDAY)
    people.assign(Assignment("dina", "LEAD", Basis.PLH), MONDAY)


def test_it_is_signed_through_its_loop_to_its_notice(desk: Desk, store: Store) -> None:
    number = to_review(desk, store)
    assert number == "INC-2026-0001"
    open_question = "Why did nobody see the disk fill?"
    sign(desk, store, number, "lia", 3, decision=Decision.RETURN, open_question=open_question)
    assert desk.queries.incident(number).step == 2
    assert desk.queries.timeline(number)[-1].text.en.endswith(open_question)
    sign(desk, store, number, "dina", 4)
    sign(desk, store, number, "lia", 5)
    assert desk.queries.incident(number).outcome is Outcome.RESOLVED
    assert [document.id for document in desk.queries.documents(number)] == [
        "1-1-page", "2-1-mitigation", "3-1-reopened", "2-2-mitigation", "3-2-notice",
    ]  # fmt: skip
    letter = desk.queries.documents(number)[-1].data["letter"]
    assert (letter["language"], letter["number"], letter["numbered"]) == ("en", "OPS-17", True)
    assert letter["subject"] == "INC-2026-0001 on SIMPEG is closed"
    assert letter["recipient"] == "the owners of SIMPEG"
    assert letter["attached_document"] == "2-2-mitigation"
    assert letter["copies"] == ["Engineering manager"]
    assert letter["body"] == [
        {
            "text": "Incident INC-2026-0001 on SIMPEG is over. "
            "Its cause: the disk filled up with logs"
        },
        {"facts": ["number", "opened_at", "closed_at"]},
        {"text": "The shop was down."},
        {"text": "It is up again."},
    ]
    assert verify(store).problem is None


def test_whoever_signed_before_does_not_review_unless_the_manager_lets_them(
    desk: Desk, store: Store
) -> None:
    number = to_review(desk, store)
    People(store).assign(Assignment("edo", "LEAD", Basis.PLH), MONDAY)
    with pytest.raises(ActionRefused) as refused:
        sign(desk, store, number, "edo", 3)
    assert refused.value.refusal.kind is RefusalKind.SEPARATION
    assert "unless the Engineering manager grants" in refused.value.refusal.reason.en
    grant = Dispense(3, "edo", "Lia is on leave.", desk.queries.incident(number).version)
    desk.dispense(number, grant, member(store, "max"), MONDAY + 4 * MINUTE)
    sign(desk, store, number, "edo", 5)
    said = [part.get("text") for part in desk.queries.documents(number)[-1].data["letter"]["body"]]
    assert said[-1] == "Step 3 was signed under a dispensation: Lia is on leave."


def test_a_false_alarm_ends_at_its_first_step(desk: Desk, store: Store) -> None:
    number = desk.report(finding(target="shop-db"), MONDAY).number
    action = Dismiss(Outcome.NOT_A_DISRUPTION, "Planned work.", 1)
    desk.dismiss(number, action, member(store, "dina"), MONDAY + MINUTE)
    assert desk.queries.documents(number)[-1].title.en == "False alarm"


def test_those_it_names_are_told_at_the_shares_it_names(desk: Desk, store: Store) -> None:
    number = desk.report(finding(target="shop-db"), MONDAY).number
    desk.sweep(MONDAY + 8 * MINUTE)  # half of 15 minutes
    desk.sweep(MONDAY + 7 * HOUR)  # four fifths of 480 minutes
    desk.sweep(MONDAY + 9 * HOUR)
    told = {(each.topic, each.role) for each in outbox.claim_due(store, MONDAY + 9 * HOUR, 100)}
    assert told == {
        ("opened", "ONCALL"),
        ("reminded", "ONCALL"),
        ("reminded", "LEAD"),
        ("breached", "ONCALL"),
        ("breached", "LEAD"),
        ("breached", "MANAGER"),
    }
    lines = [line.text.en for line in desk.queries.timeline(number)]
    assert any(line.startswith("50 % of the time for step 1") for line in lines)
    assert any(line.startswith("80 % of the time for the whole") for line in lines)


def test_its_pages_and_papers_speak_of_it_alone(desk: Desk, store: Store) -> None:
    number = to_review(desk, store)
    sign(desk, store, number, "lia", 3)
    people = People(store)
    now = MONDAY + 4 * MINUTE
    client = TestClient(create_app(desk, people, OFFICE, tuple, lambda: now))
    client.cookies.set(SESSION_COOKIE, Sessions(store).sign_in("lia", PASSWORD, "", now).token)
    for path in ("/", f"/incidents/{number}", "/people", "/report", "/archive"):
        page = client.get(path).text
        assert "GDB" not in page and "Kepala" not in page, path
    notice = client.get(f"/incidents/{number}/documents/3-1-notice").text
    for words in ("To: the owners of SIMPEG", "Declared resolved on", "Incident lead,", "OPS-17"):
        assert words in notice
    for words in ("NIP", "Yth.", "Tempat", "Tembusan"):
        assert words not in notice
    page = client.get(f"/incidents/{number}").text
    assert "working day" not in page  # its limits are hours
