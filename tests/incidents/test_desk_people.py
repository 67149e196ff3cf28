"""People at the desk: who may sign, what a signature leaves, and that it counts once."""

from __future__ import annotations

import threading
from dataclasses import replace
from datetime import timedelta

import pytest

from incidents.desk import Desk
from incidents.documents.model import NoSuchDocument
from incidents.model import Assignment, Basis, Change, Decision, Outcome, Refused
from incidents.people.accounts import People
from incidents.store import Store
from incidents.workflow.actions import ActionRefused, AddNote, Claim, Dispense, RefusalKind, Sign
from tests.incidents.office_of_five import (
    DAY,
    FIVE,
    MONDAY,
    desk_on,
    finding,
    form_for,
    sign_step,
    signer,
    walk,
)


@pytest.fixture
def desk(store: Store) -> Desk:
    return desk_on(store)


def opened(desk: Desk) -> str:
    reported = desk.report(finding(), MONDAY)
    assert reported.change is Change.OPENED
    return reported.number


def test_a_whole_procedure_ends_with_a_letter_that_carries_no_invented_number(desk: Desk) -> None:
    number = opened(desk)
    now = walk(desk, number, 7, MONDAY)
    sign_step(desk, number, now, Decision.RETURN)
    now = walk(desk, number, 8, now)
    sign_step(desk, number, now, Decision.RETURN)
    walk(desk, number, 0, now)
    incident = desk.queries.incident(number)
    assert incident.outcome is Outcome.RESOLVED
    assert [v.step for v in incident.visits] == [1, 2, 3, 4, 5, 6, 7, 5, 6, 7, 8, 7, 8, 9]
    documents = desk.queries.documents(number)
    assert [d.step for d in documents] == [v.step for v in incident.visits]
    assert documents[-1].data["letter"]["number"] == "(belum dinomori)"
    report, passed_on = documents[4], documents[5]
    assert (report.kind, report.revision) == (passed_on.kind, 1)
    assert passed_on.revision == 2
    assert passed_on.data["revises"] == {"id": report.id, "sha256": report.sha256}
    assert desk.queries.search("closed").rows[0].outcome is Outcome.RESOLVED
    assert desk.queries.row(number).role == ""


def test_every_document_is_bound_to_its_signature_and_to_the_one_before(desk: Desk) -> None:
    number = opened(desk)
    walk(desk, number, 0, MONDAY)
    events = {event.sequence: event for event in desk.queries.events(number)}
    before = ""
    for document in desk.queries.documents(number):
        event = events[document.sequence]
        assert event.payload["document"] == document.id
        assert event.payload["document_sha256"] == document.sha256
        assert event.hash == document.ledger_hash
        assert document.previous == before
        assert desk.queries.document(number, document.id) == document
        before = document.sha256
    with pytest.raises(NoSuchDocument):
        desk.queries.document(number, "10-1-surat-cinta")


def test_the_letter_takes_the_number_the_secretariat_gave(desk: Desk) -> None:
    number = opened(desk)
    now = walk(desk, number, 9, MONDAY)
    sign_step(desk, number, now, letter_number="500.12/7/2026", copies="Sekda\nInspektorat")
    letter = desk.queries.documents(number)[-1].data["letter"]
    assert letter["number"] == "500.12/7/2026"
    assert letter["copies"] == ["Sekda", "Inspektorat"]
    assert letter["attached_document"] == desk.queries.documents(number)[-2].id


def test_an_acting_official_is_named_as_such(desk: Desk, store: Store) -> None:
    acting = Assignment("wahyu", "PA", basis=Basis.PLH, letter_number="ST/12/2026")
    People(store).assign(acting, MONDAY)
    number = opened(desk)
    now = walk(desk, number, 2, MONDAY)
    sign_step(desk, number, now, by=signer("PW"))
    printed = desk.queries.documents(number)[-1].data["signer"]
    assert printed["name"] == FIVE["PW"].name
    assert printed["letter_number"] == "ST/12/2026"
    assert printed["on_behalf"] == "Plh. Pejabat Administrator Bidang TIK"
    usual = desk.queries.documents(number)[0].data["signer"]
    assert usual["on_behalf"] == ""


def test_the_person_who_repaired_cannot_verify(desk: Desk, store: Store) -> None:
    People(store).assign(Assignment("putri", "PW"), MONDAY)
    number = opened(desk)
    now = walk(desk, number, 7, MONDAY)
    both = signer("PP", "PW")
    form = form_for(7)
    action = Sign(7, Decision.APPROVE, form, desk.queries.incident(number).version)
    said = desk.queries.check_permission(desk.queries.incident(number), action, both, now)
    with pytest.raises(ActionRefused) as caught:
        desk.sign(number, action, both, now)
    assert caught.value.refusal.kind is RefusalKind.SEPARATION
    assert caught.value.refusal == said
    assert desk.queries.incident(number).step == 7


def test_a_dispensation_of_the_head_lets_that_person_act_and_is_printed(
    desk: Desk, store: Store
) -> None:
    People(store).assign(Assignment("putri", "PW"), MONDAY)
    number = opened(desk)
    now = walk(desk, number, 7, MONDAY)
    version = desk.queries.incident(number).version
    grant = Dispense(7, "putri", "Kepala Seksi cuti", version)
    with pytest.raises(Refused):
        desk.dispense(number, grant, signer("PA"), now)
    desk.dispense(number, grant, signer("KD"), now)
    sign_step(desk, number, now, by=signer("PP", "PW"))
    assert desk.queries.documents(number)[-1].data["dispensations"][0]["username"] == "putri"


def test_a_role_that_ended_is_refused_with_its_last_day(desk: Desk, store: Store) -> None:
    people = People(store)
    people.add(replace(FIVE["PP"], username="lama", name="Pejabat Lama"), "kata-sandi-1", MONDAY)
    ended = Assignment("lama", "PP", valid_to=DAY - timedelta(days=1))
    people.assign(ended, MONDAY)
    number = opened(desk)
    old = people.signer("lama", DAY)
    assert old is not None
    assert old.assignments == ()
    incident = desk.queries.incident(number)
    said = desk.queries.check_permission(incident, Claim(incident.version), old, MONDAY)
    assert said is not None
    assert "ended on" in said.reason.en


def test_two_people_signing_at_once_sign_once(desk: Desk) -> None:
    number = opened(desk)
    version = desk.queries.incident(number).version
    results: list[str] = []
    gate = threading.Barrier(4)

    def sign() -> None:
        action = Sign(1, Decision.APPROVE, form_for(1), version)
        gate.wait()
        try:
            desk.sign(number, action, signer("PP"), MONDAY)
            results.append("signed")
        except ActionRefused as refused:
            results.append(refused.refusal.kind.value)

    threads = [threading.Thread(target=sign) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert sorted(results) == ["signed", "stale", "stale", "stale"]
    assert len(desk.queries.documents(number)) == 1
    assert desk.queries.incident(number).step == 2


def test_many_threads_stating_the_same_fault_open_one_incident(desk: Desk, store: Store) -> None:
    other_store = Store(store.url)  # as a second process has: no lock of ours in common
    other = desk_on(other_store)
    changes: list[Change] = []
    gate = threading.Barrier(8)

    def state(which: Desk) -> None:
        gate.wait()
        changes.append(which.report(finding(), MONDAY).change)

    threads = [threading.Thread(target=state, args=(d,)) for d in (desk, other) * 4]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    other_store.close()
    assert sorted(changes) == sorted([Change.OPENED] + [Change.NOTHING] * 7)
    assert len(desk.queries.open_incidents()) == 1


def test_a_claim_a_note_and_a_stale_page(desk: Desk) -> None:
    number = opened(desk)
    version = desk.queries.incident(number).version
    desk.note(number, AddNote("Menunggu vendor"), signer("AJ"), MONDAY)
    assert desk.queries.incident(number).version == version
    desk.claim(number, Claim(version), signer("PP"), MONDAY)
    assert desk.queries.row(number).claimed_by == "putri"
    with pytest.raises(ActionRefused) as caught:
        desk.claim(number, Claim(version), signer("PP"), MONDAY)
    assert caught.value.refusal.kind is RefusalKind.STALE


def test_words_that_cannot_be_kept_are_refused_and_change_nothing(desk: Desk) -> None:
    number = opened(desk)
    head = desk.queries.ledger_head()
    form = form_for(1, impact="rusak \ud800")
    with pytest.raises(ActionRefused) as caught:
        desk.sign(
            number,
            Sign(1, Decision.APPROVE, form, desk.queries.incident(number).version),
            signer("PP"),
            MONDAY,
        )
    assert caught.value.refusal.kind is RefusalKind.FORM
    with pytest.raises(ActionRefused):
        desk.note(number, AddNote("a\0b"), signer("PP"), MONDAY)
    assert desk.queries.ledger_head() == head


def test_a_manual_report_names_every_wrong_field(desk: Desk) -> None:
    with pytest.raises(ActionRefused) as caught:
        desk.report_manually(
            {"severity": "gawat", "warna": "merah", "occurred_at": "kemarin"},
            None,
            MONDAY,
            "agency",
        )
    assert set(caught.value.refusal.fields) == {"title", "severity", "warna", "occurred_at"}
    incident = desk.report_manually(
        {"title": "SIMPEG tidak bisa dibuka", "agency": "BKD", "contact": "0811"},
        None,
        MONDAY,
        "agency",
    )
    assert (incident.source, incident.agency) == ("agency", "BKD")
    assert incident.report["contact"] == "0811"
    assert desk.queries.timeline(incident.number)[0].actor_name == "Sigap"
