"""Errors over HTTP: one clear sentence in both languages with a 4xx status, nothing lost.

The daemon is the real one; its only targets are down.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx2
import pytest

from probes import Address
from tests.acceptance.office import FIRST_FORM, PASSWORD, Office, add_people, said
from tests.incidents.web.hands import form_of, hidden, plain
from tests.support.agent import running, sigap, target_lines, write_config
from tests.support.builders import a_target
from tests.support.wait import until

pytestmark = pytest.mark.processes

LIMIT_BYTES = 512 * 1024


@pytest.fixture(scope="module")
def office(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Office]:
    folder = tmp_path_factory.mktemp("office")
    targets = [
        target_lines(a_target(name, address=Address("127.0.0.1", port, "sigap")))
        for name, port in (("mati", 1), ("mati-juga", 2))
    ]
    file = write_config(folder, targets)
    add_people(folder)
    with running(file) as agent:
        yield Office(agent)
        assert "Traceback" not in agent.log


@pytest.fixture(scope="module")
def number(office: Office) -> str:
    """An incident that every bad request is about, and that none may change."""
    return office.report("Tetap begini")


@pytest.fixture
def page(office: Office) -> Iterator[httpx2.Client]:
    """A browser without a screen, signed in as Budi."""
    with httpx2.Client(base_url=office.agent.address, follow_redirects=False, timeout=60) as client:
        answer = client.post("/signin", data={"username": "budi", "password": PASSWORD})
        assert answer.status_code == 303, answer.text
        yield client


def test_the_daemon_opens_an_incident_for_every_target_that_is_down_at_the_start(
    office: Office,
) -> None:
    def down() -> set[str]:
        listed = office.api("GET", "/incidents")[1]["incidents"]
        return {each["target"] for each in listed} & {"mati", "mati-juga"}

    until("an incident of each", lambda: down() == {"mati", "mati-juga"})


def without(form: dict[str, Any], name: str) -> dict[str, Any]:
    return {key: value for key, value in form.items() if key != name}


REQUESTS: list[tuple[str, str, str, Any, dict[str, str], int, str]] = [
    ("malformed JSON", "POST", "/incidents", b'{"title": ', {}, 400, "not_json"),
    ("not JSON", "POST", "/incidents", b"title=x", {}, 400, "not_json"),
    ("no object", "POST", "/incidents", ["x"], {}, 422, "form"),
    ("no body", "POST", "/incidents", None, {}, 422, "form"),
    ("a missing title", "POST", "/incidents", {"severity": "warning"}, {}, 422, "form"),
    ("an unknown key", "POST", "/incidents", {"title": "x", "colour": "red"}, {}, 422, "form"),
    ("another content type", "POST", "/incidents", b"title=x",
     {"content_type": "application/x-www-form-urlencoded"}, 422, "form"),
    ("a body too large", "POST", "/incidents", b'"' + b"x" * LIMIT_BYTES + b'"', {}, 413,
     "http_413"),
    ("an unknown incident", "GET", "/incidents/GDB-1999-0001", None, {}, 404, "no_such_incident"),
    ("signing an unknown one", "POST", "/incidents/GDB-1999-0001/signoffs",
     {"step": 1, "decision": "approve", "version": 1}, {}, 404, "no_such_incident"),
    ("an unknown document", "GET", "/incidents/NUMBER/documents/x", None, {}, 404,
     "no_such_document"),
    ("an unknown path", "GET", "/tiada", None, {}, 404, "http_404"),
    ("an unknown state", "GET", "/incidents?state=lost", None, {}, 422, "form"),
    ("a wrong method", "DELETE", "/incidents", None, {}, 405, "http_405"),
    ("an unknown decision", "POST", "/incidents/NUMBER/signoffs",
     {"step": 1, "decision": "maybe", "version": 1}, {}, 422, "form"),
    ("a wrong password", "GET", "/incidents", None,
     {"authorization": "Basic YnVkaTpzYWxhaA=="}, 401, "credentials"),
    ("nobody", "GET", "/incidents", None, {"authorization": ""}, 401, "sign_in"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("method", "path", "body", "headers", "status", "code"),
    [each[1:] for each in REQUESTS],
    ids=[each[0] for each in REQUESTS],
)
def test_a_bad_request_is_one_sentence_and_changes_nothing(
    office: Office,
    number: str,
    method: str,
    path: str,
    body: Any,
    headers: dict[str, str],
    status: int,
    code: str,
) -> None:
    before = reported(office)
    answered, error = office.refused(method, path.replace("NUMBER", number), body, **headers)
    assert (answered, error["code"]) == (status, code)
    assert reported(office) == before


def reported(office: Office) -> list[tuple[str, int]]:
    """Incidents people reported, with their versions."""
    listed = office.api("GET", "/incidents?state=all")[1]["incidents"]
    return [(each["number"], each["version"]) for each in listed if each["source"] == "person"]


def test_a_form_with_a_missing_field_is_422_and_names_it(office: Office, number: str) -> None:
    wish = office.sign_wish(number, form=without(FIRST_FORM, "impact"))
    status, error = office.refused("POST", f"/incidents/{number}/signoffs", wish)
    assert (status, error["code"]) == (422, "form")
    assert list(error["fields"]) == ["impact"]


def test_a_step_signed_by_the_wrong_role_is_403(office: Office, number: str) -> None:
    wish = office.sign_wish(number)
    status, error = office.refused("POST", f"/incidents/{number}/signoffs", wish, user="ani")
    assert status == 403 and "PP" in error["message"]


def test_a_stale_version_signed_twice_is_409_and_leaves_one_document(office: Office) -> None:
    number = office.report("Dua kali")
    wish = office.sign_wish(number)
    status, signed = office.api("POST", f"/incidents/{number}/signoffs", wish)
    assert (status, signed["step"]) == (201, 2)
    status, error = office.refused("POST", f"/incidents/{number}/signoffs", wish)
    assert (status, error["code"]) == (409, "stale")
    documents = office.api("GET", f"/incidents/{number}/documents")[1]["documents"]
    assert len(documents) == 1


def test_a_page_with_a_missing_field_comes_back_with_what_was_typed(
    office: Office, number: str, page: httpx2.Client
) -> None:
    typed = without(FIRST_FORM, "impact") | {"description": "Kata-kata yang diketik."}
    shown = page.get(f"/incidents/{number}").text
    answer = page.post(f"/incidents/{number}/sign", data=form_of(shown, typed))
    assert answer.status_code == 422
    assert "Kata-kata yang diketik." in answer.text
    assert 'href="#' in answer.text, "the summary of errors leads to the field"
    assert office.version(number) == 1


def test_a_stale_page_signed_twice_is_409_and_says_who_was_quicker(
    office: Office, page: httpx2.Client
) -> None:
    number = office.report("Halaman lama")
    old = form_of(page.get(f"/incidents/{number}").text, FIRST_FORM)
    assert page.post(f"/incidents/{number}/sign", data=old).status_code == 303
    answer = page.post(f"/incidents/{number}/sign", data=old | {"form.impact": "Kata-kata kedua."})
    assert answer.status_code == 409
    told = plain(answer.text)
    assert "Menandatangani langkah 1" in told and "Kata-kata kedua." in told
    documents = office.api("GET", f"/incidents/{number}/documents")[1]["documents"]
    assert len(documents) == 1


@pytest.mark.parametrize("path", ["/incidents/GDB-1999-0001", "/tiada"])
def test_a_page_that_is_not_there_is_a_sentence_of_our_own(page: httpx2.Client, path: str) -> None:
    answer = page.get(path)
    assert answer.status_code == 404
    assert "<h1" in answer.text and "Traceback" not in answer.text


def test_a_page_posted_too_large_changes_nothing(
    office: Office, number: str, page: httpx2.Client
) -> None:
    csrf = hidden(page.get("/report").text, "csrf")
    answer = page.post(
        f"/incidents/{number}/note", data={"csrf": csrf, "note": "x" * (LIMIT_BYTES + 1)}
    )
    assert answer.status_code == 413
    assert "melebihi 512 KiB; kirim lebih sedikit." in plain(answer.text)
    assert office.version(number) == 1


def test_after_all_that_the_ledger_is_whole(office: Office, number: str) -> None:
    assert office.version(number) == 1
    assert "is whole" in said(sigap("verify", "--lang", "en", folder=office.agent.folder))
