"""What the desk promises of findings, signatures, time and threads."""

from __future__ import annotations

import threading
from dataclasses import replace
from datetime import timedelta

import pytest

from incidents import outbox
from incidents.desk import Desk
from incidents.ledger import verify
from incidents.model import Assignment, Basis, Decision, EventKind, Outcome, Refused
from incidents.people import People
from incidents.rules import RefusalKind
from incidents.store import Store, StoreUnavailable
from incidents.views import ActionRefused, Change, NoSuchDocument, NoSuchIncident
from incidents.workflow import Claim, Dismiss, Dispense, Note, Sign
from probes import Severity
from tests.incidents.office_of_five import (
    DAY,
    FIVE,
    HOUR,
    MINUTE,
    MONDAY,
    desk_on,
    finding,
    form_for,
    sign_step,
    signer,
    walk,
)

FIRST = "GDB-2026-0001"


@pytest.fixture
def desk(store: Store) -> Desk:
    return desk_on(store)


def opened(desk: Desk) -> str:
    reported = desk.report(finding(), MONDAY)
    assert reported.change is Change.OPENED
    return reported.number


# Findings.


def test_a_finding_opens_once_however_often_it_is_stated(desk: Desk) -> None:
    assert desk.report(finding(), MONDAY).change is Change.OPENED
    before = desk.ledger_head()
    for turn in range(5):
        stated = replace(finding(at=MONDAY + turn * MINUTE), value=float(turn))
        assert desk.report(stated, MONDAY + turn * MINUTE).change is Change.NOTHING
    assert desk.ledger_head() == before
    assert len(desk.open_incidents()) == 1


def test_a_clear_finding_with_nothing_open_writes_nothing(desk: Desk) -> None:
    assert desk.report(finding(Severity.CLEAR), MONDAY).change is Change.NOTHING
    assert desk.ledger_head().sequence == 0


def test_a_warning_alone_opens_nothing(desk: Desk) -> None:
    assert desk.report(finding(Severity.WARNING), MONDAY).change is Change.NOTHING
    assert desk.ledger_head().sequence == 0


def test_a_warning_joins_the_open_incident_it_belongs_to(desk: Desk) -> None:
    number = opened(desk)
    symptom = finding(
        Severity.WARNING, probe="blocked_sessions", measure="blocked_seconds", family="locks"
    )
    assert desk.report(symptom, MONDAY).change is Change.ATTACHED
    assert [each.root for each in desk.incident(number).troubles] == [True, False]
    assert desk.report(symptom, MONDAY).change is Change.NOTHING


def test_another_clusters_fault_is_another_incident(desk: Desk) -> None:
    opened(desk)
    other = desk.report(finding(target="esurat", cluster="esurat"), MONDAY)
    assert (other.change, other.number) == (Change.OPENED, "GDB-2026-0002")


def test_a_cleared_finding_closes_nothing(desk: Desk) -> None:
    number = opened(desk)
    assert desk.report(finding(Severity.CLEAR), MONDAY + MINUTE).change is Change.CLEARED
    assert desk.report(finding(Severity.CLEAR), MONDAY + MINUTE).change is Change.NOTHING
    incident = desk.incident(number)
    assert incident.open
    assert not incident.red
    assert not desk.row(number).red


def test_a_flap_is_observed_in_the_same_incident(desk: Desk) -> None:
    number = opened(desk)
    desk.report(finding(Severity.CLEAR, at=MONDAY + MINUTE), MONDAY + MINUTE)
    again = desk.report(finding(at=MONDAY + 2 * MINUTE), MONDAY + 2 * MINUTE)
    assert (again.change, again.number) == (Change.OBSERVED, number)
    assert desk.incident(number).troubles[0].raised_count == 2


def test_trouble_that_returns_after_closing_opens_a_new_incident_linked_to_the_old(
    desk: Desk,
) -> None:
    number = opened(desk)
    desk.report(finding(Severity.CLEAR), MONDAY)
    now = walk(desk, number, 0, MONDAY)
    again = desk.report(finding(at=now), now)
    assert again.change is Change.OPENED
    assert desk.incident(again.number).previous == number


def test_what_a_person_called_no_disruption_stays_closed_until_it_was_clear_or_gets_worse(
    desk: Desk,
) -> None:
    warning = finding(Severity.WARNING, opens=True)
    number = desk.report(warning, MONDAY).number
    now = walk(desk, number, 2, MONDAY)
    version = desk.incident(number).version
    action = Dismiss(Outcome.NOT_A_DISRUPTION, "uji beban terjadwal", version)
    desk.dismiss(number, action, signer("PA"), now)
    assert desk.report(warning, now).change is Change.NOTHING
    worse = desk.report(finding(), now)
    assert worse.change is Change.OPENED
    assert desk.incident(worse.number).previous == number


def test_what_was_held_back_counts_again_once_it_was_clear(desk: Desk) -> None:
    number = opened(desk)
    now = walk(desk, number, 2, MONDAY)
    action = Dismiss(Outcome.NOT_A_DISRUPTION, "salah paham", desk.incident(number).version)
    desk.dismiss(number, action, signer("PA"), now)
    head = desk.ledger_head()
    assert desk.report(finding(), now).change is Change.NOTHING
    assert desk.report(finding(Severity.CLEAR), now).change is Change.NOTHING
    assert desk.ledger_head() == head
    assert desk.report(finding(), now).change is Change.OPENED


def test_a_duplicate_hands_its_red_findings_to_the_incident_it_repeats(desk: Desk) -> None:
    kept = opened(desk)
    twin = finding(target="esurat", cluster="esurat")
    number = desk.report(twin, MONDAY).number
    now = walk(desk, number, 2, MONDAY)
    version = desk.incident(number).version
    with pytest.raises(ActionRefused, match="There is no incident GDB-1999-0001"):
        action = Dismiss(Outcome.DUPLICATE, "sama", version, "GDB-1999-0001")
        desk.dismiss(number, action, signer("PA"), now)
    desk.dismiss(number, Dismiss(Outcome.DUPLICATE, "sama", version, kept), signer("PA"), now)
    assert desk.incident(number).outcome is Outcome.DUPLICATE
    held = {trouble.fingerprint for trouble in desk.incident(kept).troubles}
    assert twin.fingerprint in held
    assert desk.report(twin, now) == desk.report(twin, now)
    assert desk.report(twin, now).number == kept


def test_what_a_server_says_reaches_the_record_whatever_it_is(desk: Desk) -> None:
    odd = replace(finding(), value=float("nan"), about={"application": "a\0b\ud800", "x": "y"})
    number = desk.report(odd, MONDAY).number
    assert desk.incident(number).application == "a�b?"


def test_numbers_have_no_gaps_and_follow_the_year_of_the_office(desk: Desk) -> None:
    numbers = [
        desk.report(finding(target=f"t{i}", cluster=f"c{i}"), MONDAY).number for i in range(3)
    ]
    with pytest.raises(Refused):
        desk.report_manually({"title": ""}, signer("PP"), MONDAY)
    manual = desk.report_manually({"title": "Aplikasi lambat"}, signer("PP"), MONDAY).number
    assert [*numbers, manual] == [f"GDB-2026-{n:04d}" for n in range(1, 5)]
    # 16.30 UTC on New Year's Eve is already the new year in Samarinda
    eve = MONDAY.replace(month=12, day=31, hour=16, minute=30)
    late = desk.report(finding(target="t9", cluster="c9"), eve)
    assert late.number == "GDB-2027-0001"


# People.


def test_a_whole_procedure_ends_with_a_letter_that_carries_no_invented_number(desk: Desk) -> None:
    number = opened(desk)
    now = walk(desk, number, 7, MONDAY)
    sign_step(desk, number, now, Decision.RETURN)
    now = walk(desk, number, 8, now)
    sign_step(desk, number, now, Decision.RETURN)
    walk(desk, number, 0, now)
    incident = desk.incident(number)
    assert incident.outcome is Outcome.RESOLVED
    assert [v.step for v in incident.visits] == [1, 2, 3, 4, 5, 6, 7, 5, 6, 7, 8, 7, 8, 9]
    documents = desk.documents(number)
    assert [d.step for d in documents] == [v.step for v in incident.visits]
    assert documents[-1].data["letter"]["number"] == "(belum dinomori)"
    report, passed_on = documents[4], documents[5]
    assert (report.kind, report.revision) == (passed_on.kind, 1)
    assert passed_on.revision == 2
    assert passed_on.data["revises"] == {"id": report.id, "sha256": report.sha256}
    assert desk.search("closed").rows[0].outcome is Outcome.RESOLVED
    assert desk.row(number).role == ""


def test_every_document_is_bound_to_its_signature_and_to_the_one_before(desk: Desk) -> None:
    number = opened(desk)
    walk(desk, number, 0, MONDAY)
    events = {event.sequence: event for event in desk.events(number)}
    before = ""
    for document in desk.documents(number):
        event = events[document.sequence]
        assert event.payload["document"] == document.id
        assert event.payload["document_sha256"] == document.sha256
        assert event.hash == document.ledger_hash
        assert document.previous == before
        assert desk.document(number, document.id) == document
        before = document.sha256
    with pytest.raises(NoSuchDocument):
        desk.document(number, "10-1-surat-cinta")


def test_the_letter_takes_the_number_the_secretariat_gave(desk: Desk) -> None:
    number = opened(desk)
    now = walk(desk, number, 9, MONDAY)
    sign_step(desk, number, now, letter_number="500.12/7/2026", copies="Sekda\nInspektorat")
    letter = desk.documents(number)[-1].data["letter"]
    assert letter["number"] == "500.12/7/2026"
    assert letter["copies"] == ["Sekda", "Inspektorat"]
    assert letter["attached_document"] == desk.documents(number)[-2].id


def test_an_acting_official_is_named_as_such(desk: Desk, store: Store) -> None:
    acting = Assignment("wahyu", "PA", basis=Basis.PLH, letter_number="ST/12/2026")
    People(store).assign(acting, MONDAY)
    number = opened(desk)
    now = walk(desk, number, 2, MONDAY)
    sign_step(desk, number, now, by=signer("PW"))
    printed = desk.documents(number)[-1].data["signer"]
    assert printed["name"] == FIVE["PW"].name
    assert printed["letter_number"] == "ST/12/2026"
    assert printed["on_behalf"] == "Plh. Pejabat Administrator Bidang TIK"
    usual = desk.documents(number)[0].data["signer"]
    assert usual["on_behalf"] == ""


def test_the_person_who_repaired_cannot_verify(desk: Desk, store: Store) -> None:
    People(store).assign(Assignment("putri", "PW"), MONDAY)
    number = opened(desk)
    now = walk(desk, number, 7, MONDAY)
    both = signer("PP", "PW")
    form = form_for(7)
    action = Sign(7, Decision.APPROVE, form, desk.incident(number).version)
    said = desk.refusal(number, action, both, now)
    with pytest.raises(ActionRefused) as caught:
        desk.sign(number, action, both, now)
    assert caught.value.refusal.kind is RefusalKind.SEPARATION
    assert caught.value.reason == said
    assert desk.incident(number).step == 7


def test_a_dispensation_of_the_head_lets_that_person_act_and_is_printed(
    desk: Desk, store: Store
) -> None:
    People(store).assign(Assignment("putri", "PW"), MONDAY)
    number = opened(desk)
    now = walk(desk, number, 7, MONDAY)
    version = desk.incident(number).version
    grant = Dispense(7, "putri", "Kepala Seksi cuti", version)
    with pytest.raises(Refused):
        desk.dispense(number, grant, signer("PA"), now)
    desk.dispense(number, grant, signer("KD"), now)
    sign_step(desk, number, now, by=signer("PP", "PW"))
    assert desk.documents(number)[-1].data["dispensations"][0]["username"] == "putri"


def test_a_role_that_ended_is_refused_with_its_last_day(desk: Desk, store: Store) -> None:
    people = People(store)
    people.add(replace(FIVE["PP"], username="lama", name="Pejabat Lama"), "kata-sandi-1", MONDAY)
    ended = Assignment("lama", "PP", valid_to=DAY - timedelta(days=1))
    people.assign(ended, MONDAY)
    number = opened(desk)
    old = people.signer("lama", DAY)
    assert old is not None
    assert old.assignments == ()
    said = desk.refusal(number, Claim(desk.incident(number).version), old, MONDAY)
    assert said is not None
    assert "ended on" in said.en


def test_two_people_signing_at_once_sign_once(desk: Desk) -> None:
    number = opened(desk)
    version = desk.incident(number).version
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
    assert len(desk.documents(number)) == 1
    assert desk.incident(number).step == 2


def test_many_threads_stating_the_same_fault_open_one_incident(desk: Desk, store: Store) -> None:
    other = desk_on(store)  # a second instance on the same store
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
    assert sorted(changes) == sorted([Change.OPENED] + [Change.NOTHING] * 7)
    assert len(desk.open_incidents()) == 1


def test_a_claim_a_note_and_a_stale_page(desk: Desk) -> None:
    number = opened(desk)
    version = desk.incident(number).version
    desk.note(number, Note("Menunggu vendor"), signer("AJ"), MONDAY)
    assert desk.incident(number).version == version
    desk.claim(number, Claim(version), signer("PP"), MONDAY)
    assert desk.row(number).claimed_by == "putri"
    with pytest.raises(ActionRefused) as caught:
        desk.claim(number, Claim(version), signer("PP"), MONDAY)
    assert caught.value.refusal.kind is RefusalKind.STALE


def test_words_that_cannot_be_kept_are_refused_and_change_nothing(desk: Desk) -> None:
    number = opened(desk)
    head = desk.ledger_head()
    form = form_for(1, impact="rusak \ud800")
    with pytest.raises(ActionRefused) as caught:
        desk.sign(
            number,
            Sign(1, Decision.APPROVE, form, desk.incident(number).version),
            signer("PP"),
            MONDAY,
        )
    assert caught.value.refusal.kind is RefusalKind.FORM
    with pytest.raises(ActionRefused):
        desk.note(number, Note("a\0b"), signer("PP"), MONDAY)
    assert desk.ledger_head() == head


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
    assert desk.timeline(incident.number)[0].actor_name == "Sigap"


# Time.


def test_a_breach_is_recorded_once_and_stands_at_its_deadline(desk: Desk) -> None:
    number = opened(desk)
    due = desk.clocks(number, MONDAY).steps[0].due_at
    assert due == MONDAY + 30 * MINUTE
    assert desk.sweep(MONDAY + 29 * MINUTE) == 1  # the reminder
    late = MONDAY + 3 * HOUR
    assert desk.sweep(late) == 1
    assert desk.sweep(late) == 0
    assert desk.incident(number).visits[0].breached_at == due
    lines = [line for line in desk.timeline(number) if line.kind is EventKind.BREACHED]
    assert [line.at for line in lines] == [due]


def test_a_late_signature_records_the_breach_before_itself(desk: Desk) -> None:
    number = opened(desk)
    sign_step(desk, number, MONDAY + 2 * HOUR)
    kinds = [event.kind for event in desk.events(number)]
    assert kinds == [EventKind.OPENED, EventKind.BREACHED, EventKind.SIGNED]
    assert desk.sweep(MONDAY + 2 * HOUR) == 0


def test_reminders_and_breaches_are_told_to_whose_turn_it_is(desk: Desk, store: Store) -> None:
    opened(desk)
    desk.sweep(MONDAY + 29 * MINUTE)
    told = {(message.topic, message.role) for message in outbox.claim_due(store, MONDAY + HOUR)}
    assert told == {("opened", "PP"), ("reminded", "PP")}


def test_the_overall_breach_goes_to_the_head_too(desk: Desk, store: Store) -> None:
    opened(desk)
    desk.sweep(MONDAY + timedelta(days=7))
    sent = outbox.claim_due(store, MONDAY + timedelta(days=7), limit=100)
    assert ("breached", "KD") in {(message.topic, message.role) for message in sent}


# The outbox.


def test_a_claimed_message_comes_back_when_its_claim_runs_out(desk: Desk, store: Store) -> None:
    opened(desk)
    (first,) = outbox.claim_due(store, MONDAY)
    assert outbox.claim_due(store, MONDAY + MINUTE) == ()
    (again,) = outbox.claim_due(store, MONDAY + outbox.LEASE)
    assert (again.id, again.tries) == (first.id, 2)
    outbox.done(store, again, MONDAY + outbox.LEASE)
    assert outbox.claim_due(store, MONDAY + HOUR) == ()


def test_a_message_that_fails_is_kept_and_tried_later(desk: Desk, store: Store) -> None:
    opened(desk)
    sent: list[str] = []

    def broken(message: outbox.Message) -> None:
        raise OSError("the mail server is away")

    assert outbox.deliver(store, MONDAY, broken) == 0
    assert outbox.deliver(store, MONDAY, lambda m: sent.append(m.topic)) == 0
    assert outbox.deliver(store, MONDAY + HOUR, lambda m: sent.append(m.topic)) == 1
    assert sent == ["opened"]


# Reading.


def test_the_inbox_shows_mine_first_then_what_is_late_then_the_rest(desk: Desk) -> None:
    mine = opened(desk)
    for name in ("b", "c"):
        desk.report(finding(target=name, cluster=name), MONDAY)
    sign_step(desk, "GDB-2026-0002", MONDAY)  # now waits for PA, an hour
    sign_step(desk, "GDB-2026-0003", MONDAY + 10 * MINUTE)
    now = MONDAY + 65 * MINUTE
    inbox = desk.inbox(signer("PP"), now)
    assert [row.number for row in inbox.mine] == [mine]
    assert [row.number for row in inbox.late] == ["GDB-2026-0002"]
    assert [row.number for row in inbox.others] == ["GDB-2026-0003"]


def test_a_search_pages_through_everything_once(desk: Desk) -> None:
    for index in range(7):
        desk.report(finding(target=f"server-{index}", cluster=f"c{index}"), MONDAY)
    seen: list[str] = []
    page = desk.search("open", "SERVER gangguan", limit=3)
    while True:
        seen += [row.number for row in page.rows]
        if page.after is None:
            break
        page = desk.search("open", "SERVER gangguan", after=page.after, limit=3)
    assert seen == [f"GDB-2026-{n:04d}" for n in range(7, 0, -1)]
    assert desk.search("all", "server-3").rows[0].target == "server-3"
    assert desk.search("all", "100%_").rows == ()
    assert desk.search("closed").rows == ()


def test_an_unknown_number_is_said(desk: Desk) -> None:
    with pytest.raises(NoSuchIncident, match="There is no incident GDB-2000-0001"):
        desk.incident("GDB-2000-0001")
    with pytest.raises(NoSuchIncident):
        desk.events("GDB-2000-0001")


def test_an_incident_keeps_the_procedure_it_opened_under(desk: Desk, store: Store) -> None:
    number = opened(desk)
    kept = desk.procedure(number)
    newer = Desk(
        store,
        replace(kept, hash="another", steps=kept.steps[:1], overall=kept.overall),
        desk.calendar(number),
    )
    assert newer.procedure(number) == kept
    assert newer.calendar(number).hash == desk.calendar(number).hash
    assert newer.incident(number) == desk.incident(number)


def test_a_desk_that_starts_anew_reads_the_same_incidents(desk: Desk, store: Store) -> None:
    number = opened(desk)
    walk(desk, number, 6, MONDAY)
    assert desk_on(store).open_incidents() == desk.open_incidents()
    assert verify(store).problem is None


def test_a_store_that_fails_midway_changes_nothing(
    desk: Desk, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    number = opened(desk)
    head, row = desk.ledger_head(), desk.row(number)

    def broken(*_: object, **__: object) -> None:
        raise StoreUnavailable(finding().title)

    with monkeypatch.context() as patched:
        patched.setattr("incidents.records.summarise", broken)
        with pytest.raises(StoreUnavailable):
            sign_step(desk, number, MONDAY)
    assert (desk.ledger_head(), desk.row(number)) == (head, row)
    assert desk.documents(number) == ()
    sign_step(desk, number, MONDAY)
    assert verify(store).problem is None
