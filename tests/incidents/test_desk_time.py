"""Deadlines, messages and queries at the desk."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from incidents.desk import Desk
from incidents.ledger.payloads import CLOCK_BEHIND
from incidents.ledger.verify import verify
from incidents.model import Change, EventKind
from incidents.notify import outbox
from incidents.records.rows import NoSuchIncident
from incidents.store import Store, StoreUnavailable
from incidents.workflow.actions import AddNote
from tests.incidents.office_of_five import (
    HOUR,
    MINUTE,
    MONDAY,
    desk_on,
    finding,
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


def test_a_breach_is_recorded_once_and_stands_at_its_deadline(desk: Desk) -> None:
    number = opened(desk)
    due = desk.queries.clocks(number, MONDAY).steps[0].due_at
    assert due == MONDAY + 30 * MINUTE
    assert desk.sweep(MONDAY + 29 * MINUTE) == 1  # the reminder
    late = MONDAY + 3 * HOUR
    assert desk.sweep(late) == 1
    assert desk.sweep(late) == 0
    assert desk.queries.incident(number).visits[0].breached_at == due
    lines = [line for line in desk.queries.timeline(number) if line.kind is EventKind.BREACHED]
    assert [line.at for line in lines] == [due]


def test_a_late_signature_records_the_breach_before_itself(desk: Desk) -> None:
    number = opened(desk)
    sign_step(desk, number, MONDAY + 2 * HOUR)
    kinds = [event.kind for event in desk.queries.events(number)]
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


# A clock that goes back.


def test_the_ledger_never_goes_back_and_says_that_the_clock_did(
    desk: Desk, caplog: pytest.LogCaptureFixture, store: Store
) -> None:
    number = opened(desk)
    sign_step(desk, number, MONDAY - HOUR)
    desk.note(number, AddNote("masih mundur"), signer("PA"), MONDAY - 30 * MINUTE)
    first, signed, noted = desk.queries.events(number)
    assert first.at == signed.at == noted.at == MONDAY
    assert CLOCK_BEHIND not in first.payload
    assert signed.payload[CLOCK_BEHIND] == 3600
    shown = desk.queries.timeline(number)
    assert "back" in shown[1].text.en
    assert "mundur" in shown[1].text.id
    assert caplog.text.count("before the last event of the ledger") == 1
    desk.note(number, AddNote("pulih"), signer("PA"), MONDAY + MINUTE)
    assert CLOCK_BEHIND not in desk.queries.events(number)[-1].payload
    assert caplog.text.count("has caught up with the ledger") == 1
    assert verify(store).problem is None


def test_a_slewing_clock_is_not_told_as_one_that_went_back(desk: Desk) -> None:
    number = opened(desk)
    sign_step(desk, number, MONDAY - timedelta(milliseconds=900))
    signed = desk.queries.events(number)[-1]
    assert signed.at == MONDAY
    assert CLOCK_BEHIND not in signed.payload


def test_no_duration_is_negative_while_the_clock_is_back(desk: Desk) -> None:
    number = opened(desk)
    seen = desk.queries.clocks(number, MONDAY - HOUR)
    for each in (*seen.steps, seen.overall):
        assert (each.used_seconds, each.wall_seconds) == (0, 0)
        assert each.remaining_seconds == each.standard_seconds
    assert seen.downtime_seconds == 0


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
    inbox = desk.queries.inbox(signer("PP"), now)
    assert [row.number for row in inbox.mine] == [mine]
    assert [row.number for row in inbox.late] == ["GDB-2026-0002"]
    assert [row.number for row in inbox.others] == ["GDB-2026-0003"]


def test_a_search_pages_through_everything_once(desk: Desk) -> None:
    for index in range(7):
        desk.report(finding(target=f"server-{index}", cluster=f"c{index}"), MONDAY)
    seen: list[str] = []
    page = desk.queries.search("open", "SERVER gangguan", limit=3)
    while True:
        seen += [row.number for row in page.rows]
        if page.after is None:
            break
        page = desk.queries.search("open", "SERVER gangguan", after=page.after, limit=3)
    assert seen == [f"GDB-2026-{n:04d}" for n in range(7, 0, -1)]
    assert desk.queries.search("all", "server-3").rows[0].target == "server-3"
    assert desk.queries.search("all", "100%_").rows == ()
    assert desk.queries.search("closed").rows == ()


def test_an_unknown_number_is_said(desk: Desk) -> None:
    with pytest.raises(NoSuchIncident, match="There is no incident GDB-2000-0001"):
        desk.queries.incident("GDB-2000-0001")
    with pytest.raises(NoSuchIncident):
        desk.queries.events("GDB-2000-0001")


def test_an_incident_keeps_the_procedure_it_opened_under(desk: Desk, store: Store) -> None:
    number = opened(desk)
    kept = desk.queries.procedure(number)
    newer = Desk(
        store,
        replace(kept, hash="another", steps=kept.steps[:1], overall=kept.overall),
        desk.queries.calendar(number),
    )
    assert newer.queries.procedure(number) == kept
    assert newer.queries.calendar(number).hash == desk.queries.calendar(number).hash
    assert newer.queries.incident(number) == desk.queries.incident(number)


def test_a_desk_that_starts_anew_reads_the_same_incidents(desk: Desk, store: Store) -> None:
    number = opened(desk)
    walk(desk, number, 6, MONDAY)
    assert desk_on(store).queries.open_incidents() == desk.queries.open_incidents()
    assert verify(store).problem is None


def test_a_store_that_fails_midway_changes_nothing(
    desk: Desk, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    number = opened(desk)
    head, row = desk.queries.ledger_head(), desk.queries.row(number)

    def broken(*_: object, **__: object) -> None:
        raise StoreUnavailable(finding().title)

    with monkeypatch.context() as patched:
        patched.setattr("incidents.records.summaries.summarise", broken)
        with pytest.raises(StoreUnavailable):
            sign_step(desk, number, MONDAY)
    assert (desk.queries.ledger_head(), desk.queries.row(number)) == (head, row)
    assert desk.queries.documents(number) == ()
    sign_step(desk, number, MONDAY)
    assert verify(store).problem is None
