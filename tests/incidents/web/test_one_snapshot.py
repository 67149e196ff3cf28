"""A page is read from one snapshot of the store, and says the same as the guard of the change."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import event

from incidents.calendar import load as calendar
from incidents.desk import Desk
from incidents.model import Assignment, Person
from incidents.people.accounts import People
from incidents.procedure import load as procedure
from incidents.store import Store
from incidents.workflow.actions import Claim
from tests.incidents.web.hands import sign_up_to, token
from tests.incidents.web.world import CAST, MONDAY, OFFICE, PASSWORD, HandClock, World, engage

MOST_STATEMENTS = 8


class Counted:
    """What was asked of the store."""

    def __init__(self) -> None:
        self.transactions = 0
        self.statements: list[str] = []


@contextmanager
def counting(store: Store) -> Iterator[Counted]:
    counted = Counted()

    def begun(*_: object) -> None:
        counted.transactions += 1

    def executed(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        counted.statements.append(" ".join(statement.split()))

    event.listen(store.engine, "begin", begun)
    event.listen(store.engine, "before_cursor_execute", executed)
    try:
        yield counted
    finally:
        event.remove(store.engine, "begin", begun)
        event.remove(store.engine, "before_cursor_execute", executed)


@pytest.fixture
def office(store: Store) -> World:
    """The office on each kind of store."""
    clock = HandClock()
    people = People(store)
    engage(people, clock.now)
    desk = Desk(store, procedure.load("kaltim"), calendar.load("kaltim"), OFFICE)
    return World(store, desk, people, clock)


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/incidents/{number}",
        "/incidents/{number}/documents",
        "/incidents/{number}/documents/{document}",
        "/archive?state=all&q=simpeg",
        "/people",
        "/targets",
        "/report",
        "/verify/{number}/{document}?h=0",
        "/api/v1/incidents?state=all&q=simpeg",
        "/api/v1/incidents/{number}",
        "/api/v1/incidents/{number}/documents",
        "/api/v1/incidents/{number}/documents/{document}",
        "/api/v1/incidents/{number}/documents/{document}.html",
    ],
)
def test_a_page_costs_one_transaction_and_few_statements(office: World, path: str) -> None:
    number = office.open_incident()
    sign_up_to(office, number, 3)
    document = office.desk.queries.documents(number)[-1].id
    client = TestClient(office.app(), follow_redirects=False)
    client.post("/signin", data={"username": CAST["KD"].username, "password": PASSWORD})
    with counting(office.store) as counted:
        answer = client.get(path.format(number=number, document=document))
    assert answer.status_code == (404 if "/verify/" in path else 200)
    assert counted.transactions == 1, counted.statements
    assert len(counted.statements) <= MOST_STATEMENTS, counted.statements


def test_that_a_session_is_used_is_written_apart_and_once_a_minute(office: World) -> None:
    client = TestClient(office.app(), follow_redirects=False)
    client.post("/signin", data={"username": "putri", "password": PASSWORD})
    office.clock.forward(minutes=2)
    for transactions in (2, 1):
        with counting(office.store) as counted:
            client.get("/")
        assert counted.transactions == transactions, counted.statements


def test_a_program_with_a_password_writes_nothing_by_signing_in(office: World) -> None:
    number = office.open_incident()
    client = TestClient(office.app(), follow_redirects=False)
    with counting(office.store) as counted:
        client.get(f"/api/v1/incidents/{number}", auth=("putri", PASSWORD))
    assert counted.transactions == 2, counted.statements
    assert not [each for each in counted.statements if each.startswith(("INSERT", "UPDATE", "DEL"))]


@pytest.mark.servers  # a SQLite without write-ahead log lets nobody write meanwhile
@pytest.mark.parametrize("store", ["postgresql"], indirect=True)
def test_a_snapshot_sees_nothing_written_after_it_began(office: World) -> None:
    number = office.open_incident()
    putri = office.people.signer("putri", MONDAY.date())
    assert putri is not None
    with office.desk.queries.snapshot() as seen:
        before = seen.incident(number)
        office.desk.claim(number, Claim(before.version), putri, office.clock.now)
        assert office.desk.queries.incident(number).version == before.version + 1
        details = seen.details(number, putri, office.clock.now)
        assert seen.incident(number) == details.incident == before
        assert len(details.timeline) == 1
        assert seen.open_incidents() == (before,)


def test_an_expired_assignment_is_told_in_one_sentence_wherever_it_is_met(
    world: World,
) -> None:
    lama = Person("lama", "Lama Sekali, S.Kom.", language="en")
    world.people.add(lama, PASSWORD, world.clock.now)
    last = world.clock.now.date() - timedelta(days=3)
    world.people.assign(Assignment("lama", "PP", valid_to=last), world.clock.now)
    number = world.open_incident()
    client = TestClient(world.app(), follow_redirects=False)
    client.post("/signin", data={"username": "lama", "password": PASSWORD})

    body = client.get(f"/api/v1/incidents/{number}").json()
    sentence = body["waiting"]["refusal"]["en"]
    assert "your assignment to that role ended on" in sentence
    assert not body["waiting"]["may_sign"]

    assert sentence in client.get(f"/incidents/{number}").text
    csrf = {"x-csrf-token": token(client)}
    wish = {"step": 1, "decision": "approve", "form": {}, "version": body["version"]}
    refused = client.post(f"/api/v1/incidents/{number}/signoffs", json=wish, headers=csrf)
    assert refused.status_code == 403
    assert refused.json()["error"]["message"] == sentence
    claimed = client.post(
        f"/incidents/{number}/claim", data={"csrf": token(client), "version": body["version"]}
    )
    assert claimed.status_code == 403
    assert sentence in claimed.text
