"""Accounts, roles, passwords and sessions."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime, timedelta

import pytest
from argon2 import PasswordHasher
from sqlalchemy import select, update

from incidents.model import Assignment, Basis, Person, Refused
from incidents.people import directory, passwords
from incidents.people.accounts import People
from incidents.people.sessions import FREE_FAILURES, IDLE, LONGEST, Sessions, SignedIn, find
from incidents.store import Store, tables
from tests.incidents.office_of_five import DAY, HOUR, MINUTE, MONDAY

PUTRI = Person("putri", "Putri Lestari, S.T.", nip="1992", email="putri@contoh.go.id")
GOOD = "gunung-batu-77"
ROLES = {"AJ": (), "PP": (Basis.PLT, Basis.PLH), "PW": (Basis.PLT, Basis.PLH), "PA": (), "KD": ()}
HERE = "10.0.0.7"


@pytest.fixture
def people(store: Store) -> People:
    people = People(store, lambda: ROLES)
    people.add(PUTRI, GOOD, MONDAY)
    return people


@pytest.fixture
def sessions(people: People) -> Sessions:
    return Sessions(people.store)


def used(sessions: Sessions, token: str, now: datetime) -> SignedIn | None:
    """The session as a page finds it, used once more."""
    with sessions.store.read() as connection:
        found = find(connection, token, now)
    if found is None:
        return None
    sessions.seen(found, now)
    return found.session


def test_an_account_is_kept_as_given(people: People) -> None:
    assert people.person("putri") == PUTRI
    assert people.all() == (PUTRI,)
    assert people.person("siapa") is None


@pytest.mark.parametrize(
    ("person", "password", "says"),
    [
        (PUTRI, GOOD, "is taken"),
        (replace(PUTRI, username="Putri Lestari"), GOOD, "small letters"),
        (replace(PUTRI, username="sigap"), GOOD, "belongs to the system"),
        (replace(PUTRI, username="p2", name=" "), GOOD, "full name"),
        (replace(PUTRI, username="p2", language="jv"), GOOD, "id or en"),
        (replace(PUTRI, username="p2"), "pendek7", "at least 8 characters"),
        (replace(PUTRI, username="p2"), "x" * 201, "at most 200"),
        (replace(PUTRI, username="p2"), "aaaaaaaaa", "easy to guess"),
        (replace(PUTRI, username="bambang"), "Bambang2026", "easy to guess"),
    ],
)
def test_a_bad_account_is_refused_in_one_sentence(
    people: People, person: Person, password: str, says: str
) -> None:
    with pytest.raises(Refused, match=says) as caught:
        people.add(person, password, MONDAY)
    assert caught.value.reason.id != caught.value.reason.en
    assert len(people.all()) == 1


def test_neither_password_nor_token_stands_in_the_store(sessions: Sessions, store: Store) -> None:
    token = sessions.sign_in("putri", GOOD, HERE, MONDAY).token
    with store.read() as connection:
        kept = repr(
            [
                connection.execute(select(table)).all()
                for table in (tables.people, tables.sessions, tables.attempts)
            ]
        )
    assert "$argon2id$v=19$m=19456,t=2,p=1$" in kept
    assert token not in kept
    assert GOOD not in kept
    assert HERE not in kept


def test_a_wrong_name_and_a_wrong_password_get_the_same_answer(sessions: Sessions) -> None:
    said = set()
    for name, password in (("putri", "salah-sandi"), ("siapa", GOOD), ("", ""), ("a\0b", "\ud800")):
        with pytest.raises(Refused) as caught:
            sessions.check(name, password, HERE, MONDAY)
        said.add(caught.value.reason)
    assert len(said) == 1


def test_an_unknown_name_is_hashed_too(sessions: Sessions, monkeypatch: pytest.MonkeyPatch) -> None:
    looked: list[str] = []
    verified = passwords._verified

    def noted(kept: str, given: str) -> bool:
        looked.append(kept)
        return verified(kept, given)

    monkeypatch.setattr(passwords, "_verified", noted)
    for name in ("putri", "siapa"):
        with pytest.raises(Refused):
            sessions.check(name, "salah-sandi", HERE, MONDAY)
    assert len(looked) == 2
    assert all(kept.startswith("$argon2id$") for kept in looked)


def test_an_inactive_account_cannot_sign_in_and_its_sessions_end(
    people: People, sessions: Sessions
) -> None:
    token = sessions.sign_in("putri", GOOD, HERE, MONDAY).token
    people.update(replace(PUTRI, active=False), MONDAY)
    assert used(sessions, token, MONDAY) is None
    assert people.signer("putri", DAY) is None
    with pytest.raises(Refused, match="does not match"):
        sessions.check("putri", GOOD, HERE, MONDAY)


def test_repeated_failures_have_to_wait_and_longer_each_time(sessions: Sessions) -> None:
    now = MONDAY
    for _ in range(FREE_FAILURES):
        with pytest.raises(Refused, match="does not match"):
            sessions.check("putri", "salah-sandi", HERE, now)
    with pytest.raises(Refused, match="try again in 1 minutes"):
        sessions.check("putri", GOOD, HERE, now)
    assert sessions.check("putri", GOOD, "10.0.0.8", now) == PUTRI  # another address is not locked
    now += timedelta(seconds=31)
    with pytest.raises(Refused, match="does not match"):
        sessions.check("putri", "salah-sandi", HERE, now)
    with pytest.raises(Refused, match="try again"):
        sessions.check("putri", GOOD, HERE, now + timedelta(seconds=31))
    assert sessions.check("putri", GOOD, HERE, now + timedelta(seconds=61)) == PUTRI
    with pytest.raises(Refused, match="does not match"):  # and the count began anew
        sessions.check("putri", "salah-sandi", HERE, now + timedelta(seconds=62))


def test_a_session_ends_when_idle_when_old_and_when_signed_out(sessions: Sessions) -> None:
    session = sessions.sign_in("putri", GOOD, HERE, MONDAY)
    assert session.person == PUTRI
    assert used(sessions, session.token, MONDAY + MINUTE) == session
    assert used(sessions, session.token, MONDAY + MINUTE + IDLE) is None
    assert used(sessions, "palsu", MONDAY) is None
    busy = sessions.sign_in("putri", GOOD, HERE, MONDAY).token
    now = MONDAY
    while now < MONDAY + LONGEST - HOUR:
        now += HOUR
        assert used(sessions, busy, now) is not None
    assert used(sessions, busy, MONDAY + LONGEST) is None
    other = sessions.sign_in("putri", GOOD, HERE, MONDAY).token
    sessions.sign_out(other)
    assert used(sessions, other, MONDAY) is None


def test_a_new_password_ends_every_session(people: People, sessions: Sessions) -> None:
    tokens = [sessions.sign_in("putri", GOOD, HERE, MONDAY).token for _ in range(2)]
    people.set_password("putri", "sungai-besar-99", MONDAY)
    assert [used(sessions, token, MONDAY) for token in tokens] == [None, None]
    assert sessions.check("putri", "sungai-besar-99", HERE, MONDAY) == PUTRI
    with pytest.raises(Refused):
        sessions.check("putri", GOOD, HERE, MONDAY)
    with pytest.raises(Refused, match="no user siapa"):
        people.set_password("siapa", "sungai-besar-99", MONDAY)


def test_clean_up_forgets_what_has_ended_and_nothing_else(sessions: Sessions) -> None:
    sessions.sign_in("putri", GOOD, HERE, MONDAY - timedelta(days=2))
    kept = sessions.sign_in("putri", GOOD, HERE, MONDAY).token
    assert sessions.clean_up(MONDAY) == 1
    assert used(sessions, kept, MONDAY) is not None


def test_an_old_hash_is_renewed_at_the_next_sign_in(
    people: People, sessions: Sessions, store: Store
) -> None:
    weak = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1).hash(GOOD)
    with store.write() as connection:
        connection.execute(update(tables.people).values(password=weak))
    sessions.check("putri", GOOD, HERE, MONDAY)
    with store.read() as connection:
        renewed = connection.execute(select(tables.people.c.password)).scalar_one()
    assert "m=19456" in renewed
    assert sessions.check("putri", GOOD, HERE, MONDAY) == PUTRI


def test_a_role_is_held_from_its_first_day_to_its_last_and_no_other(people: People) -> None:
    first, last = date(2026, 7, 6), date(2026, 7, 10)
    plh = Assignment("putri", "PW", Basis.PLH, "ST/7/2026", first, last)
    people.assign(plh, MONDAY)
    people.assign(Assignment("putri", "PP"), MONDAY)
    one = timedelta(days=1)
    for day, roles in (
        (first - one, ["PP"]),
        (first, ["PW", "PP"]),
        (last, ["PW", "PP"]),
        (last + one, ["PP"]),
    ):
        assert [each.role for each in people.roles_today("putri", day)] == roles
        with people.store.read() as connection:
            holders = directory.read(connection).holders(day)
        assert holders.get("PW") == ({"putri": PUTRI.name} if "PW" in roles else None)
    assert people.assignments("putri")[0] == plh


@pytest.mark.parametrize(
    ("assignment", "says"),
    [
        (Assignment("putri", "ZZ"), "choose one of AJ, KD, PA, PP, PW"),
        (Assignment("putri", "KD", Basis.PLH), "KD cannot be held as plh"),
        (Assignment("siapa", "PP"), "no user siapa"),
        (
            Assignment("putri", "PP", valid_from=DAY, valid_to=DAY - timedelta(days=1)),
            "ends before it begins",
        ),
    ],
)
def test_a_wrong_assignment_is_refused(people: People, assignment: Assignment, says: str) -> None:
    with pytest.raises(Refused, match=says):
        people.assign(assignment, MONDAY)
    assert people.assignments("putri") == ()


def test_a_role_is_not_given_twice(people: People) -> None:
    people.assign(Assignment("putri", "PP"), MONDAY)
    with pytest.raises(Refused, match="already holds the role PP"):
        people.assign(Assignment("putri", "PP"), MONDAY)
    people.assign(Assignment("putri", "PP", valid_from=DAY), MONDAY)  # another period
    assert len(people.assignments("putri")) == 2
