"""The demo's page: only in a demo, only for people who signed in, only from its own form."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from agent.demo import people as staff
from agent.demo.errors import DemoError
from agent.demo.home import Home
from agent.demo.page import router
from agent.demo.scene.faults import FAULTS, Fault, Faults
from incidents.calendar import load as calendar
from incidents.desk import Desk
from incidents.documents.model import Office
from incidents.people.accounts import People
from incidents.procedure import load as procedure
from incidents.store import open_store
from incidents.web.app import create_app
from probes import Text
from tests.support.words import both

NOW = datetime(2026, 11, 23, 2, 0, tzinfo=UTC)
HOME = {"sec-fetch-site": "same-origin"}


@dataclass
class Pretended:
    """Faults without servers: what the page asks of them is kept."""

    done: list[tuple[str, str, str]] = field(default_factory=list)
    refusal: DemoError | None = None

    def targets(self, fault: Fault) -> tuple[str, ...]:
        return fault.targets

    def status(self) -> dict[str, tuple[str, ...]]:
        return {name: ("simpeg-primary",) if name == "lock" else () for name in FAULTS}

    def break_it(self, name: str, target: str) -> Text:
        return self._do("break", name, target)

    def heal(self, name: str, target: str) -> Text:
        return self._do("heal", name, target)

    def _do(self, do: str, name: str, target: str) -> Text:
        if self.refusal is not None:
            raise self.refusal
        self.done.append((do, name, target))
        return Text("")


@dataclass
class Site:
    app: FastAPI
    faults: Pretended
    passwords: dict[str, str]

    def visitor(self) -> TestClient:
        return TestClient(self.app, base_url="http://sigap.example", follow_redirects=False)

    def member(self, username: str = "rina") -> TestClient:
        client = self.visitor()
        answer = client.post(
            "/signin",
            data={"username": username, "password": self.passwords[username]},
            headers=HOME,
        )
        assert answer.status_code == 303, answer.text
        return client


@pytest.fixture(scope="module")
def office(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    store = open_store(f"sqlite:///{tmp_path_factory.mktemp('store')}/sigap.db")
    steps, hours = procedure.load("kaltim"), calendar.load("kaltim")
    people = People(store)
    passwords = staff.settle(people, NOW)
    faults = Pretended()
    app = create_app(
        Desk(store, steps, hours), people, Office(), lambda: (), lambda: NOW, demo=True
    )
    app.include_router(router(_as_faults(faults), Home(Path("/srv/coba demo"))))
    yield Site(app, faults, passwords)
    store.close()


@pytest.fixture
def site(office: Site) -> Site:
    """The office, where nothing was done yet."""
    office.faults.done.clear()
    office.faults.refusal = None
    return office


def _as_faults(pretended: Pretended) -> Faults:
    made = object.__new__(Faults)
    for name in ("targets", "status", "break_it", "heal"):
        setattr(made, name, getattr(pretended, name))
    return made


def token(page: str) -> str:
    found = re.search(r'name="csrf" value="([^"]+)"', page)
    assert found is not None
    return found[1]


def test_a_stranger_is_sent_to_sign_in_and_can_break_nothing(site: Site) -> None:
    visitor = site.visitor()
    assert visitor.get("/demo").headers["location"].startswith("/signin")
    asked = {"fault": "lock", "target": "simpeg-primary", "do": "break"}
    assert visitor.post("/demo", data=asked, headers=HOME).status_code in {303, 401, 403}
    assert site.faults.done == []


def test_every_fault_is_offered_where_it_can_be_had_and_what_stands_can_be_healed(
    site: Site,
) -> None:
    page = site.member().get("/demo").text
    for fault in FAULTS.values():
        assert fault.title.id in page
    offered = page.count('name="do" value="break"') + page.count('name="do" value="heal"')
    assert offered == sum(len(fault.targets) for fault in FAULTS.values())
    assert page.count('name="do" value="heal"') == 1


def test_the_page_speaks_both_languages(site: Site) -> None:
    member = site.member()
    assert "Antrean kunci" in member.get("/demo").text
    member.cookies.set("sigap_language", "en")
    assert "Lock pile-up" in member.get("/demo").text


def test_the_footer_names_the_folder_a_second_terminal_needs(site: Site) -> None:
    page = html.unescape(site.member().get("/demo").text)
    assert "demo --dir '/srv/coba demo' break replication" in page


def test_breaking_and_healing_come_from_the_form_with_its_token(site: Site) -> None:
    member = site.member()
    csrf = token(member.get("/demo").text)
    for do in ("break", "heal"):
        asked = {"fault": "lock", "target": "esurat-primary", "do": do, "csrf": csrf}
        answer = member.post("/demo", data=asked, headers=HOME)
        assert (answer.status_code, answer.headers["location"]) == (303, "/demo?done=1")
    assert site.faults.done == [
        ("break", "lock", "esurat-primary"),
        ("heal", "lock", "esurat-primary"),
    ]


@pytest.mark.parametrize(
    ("headers", "change"),
    [({"sec-fetch-site": "cross-site"}, {}), (HOME, {"csrf": "guessed"}), (HOME, {"csrf": ""})],
    ids=["another site", "a wrong token", "no token"],
)
def test_a_foreign_form_breaks_nothing(
    site: Site, headers: dict[str, str], change: dict[str, str]
) -> None:
    member = site.member()
    asked = {"fault": "lock", "target": "", "do": "break", "csrf": token(member.get("/demo").text)}
    assert member.post("/demo", data=asked | change, headers=headers).status_code == 403
    assert site.faults.done == []


def test_what_cannot_be_done_is_said_on_the_page(site: Site) -> None:
    member = site.member()
    csrf = token(member.get("/demo").text)
    site.faults.refusal = DemoError(both("lock sudah terjadi", "lock already stands"))
    answer = member.post("/demo", data={"fault": "lock", "do": "break", "csrf": csrf}, headers=HOME)
    assert answer.status_code == 409
    assert "lock sudah terjadi" in answer.text


def test_the_page_is_not_part_of_the_documented_api(site: Site) -> None:
    paths = site.visitor().get("/api/v1/openapi.json").json()["paths"]
    assert not [path for path in paths if "demo" in path]


def test_the_office_has_one_person_for_each_role_and_keeps_its_passwords(site: Site) -> None:
    roles = [role for role, _ in staff.STAFF]
    assert sorted(roles) == ["AJ", "KD", "PA", "PP", "PW"]
    assert len(set(site.passwords.values())) == len(roles)
    people: People = site.app.state.site.people
    for role, person in staff.STAFF:
        signer = people.signer(person.username, NOW.date())
        assert signer is not None
        assert [held.role for held in signer.assignments] == [role]
    assert staff.settle(people, NOW) == {}, "a second start made new passwords"
    renamed = replace(staff.STAFF[0][1], name="Rina O., M.Kom.")
    people.update(renamed, NOW)
    staff.settle(people, NOW)
    assert people.person("rina") == renamed, "a second start undid what an administrator changed"
