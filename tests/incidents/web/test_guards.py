"""Protection of the pages against other sites."""

from __future__ import annotations

import http.client

import pytest
from fastapi.testclient import TestClient

from incidents.queries import Snapshot
from incidents.store import StoreUnavailable
from incidents.web.access.security import BODY_LIMIT_BYTES
from tests.browser.serving import served
from tests.incidents.web.conftest import SignedIn
from tests.incidents.web.hands import token
from tests.incidents.web.world import PASSWORD, World
from tests.support.words import both

SIGN_IN = {"username": "putri", "password": PASSWORD}


@pytest.mark.parametrize(
    "headers",
    [
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
        {"origin": "https://evil.example"},
        {"origin": "null"},
    ],
)
def test_a_form_posted_from_another_site_is_refused(
    world: World, signed_in: SignedIn, headers: dict[str, str]
) -> None:
    number = world.open_incident()
    client = signed_in("PP")
    form = {"csrf": token(client), "note": "dari situs lain"}
    answer = client.post(f"/incidents/{number}/note", data=form, headers=headers)
    assert answer.status_code == 403
    assert not world.desk.queries.incident(number).notes


def test_signing_in_from_another_site_is_refused(client: TestClient) -> None:
    answer = client.post("/signin", data=SIGN_IN, headers={"sec-fetch-site": "cross-site"})
    assert answer.status_code == 403
    assert "sigap_session" not in answer.cookies


@pytest.mark.parametrize("given", ["", "wrong", "ümlaut"])
def test_a_form_without_the_sessions_token_is_refused(
    world: World, signed_in: SignedIn, given: str
) -> None:
    number = world.open_incident()
    client = signed_in("PP")
    answer = client.post(f"/incidents/{number}/note", data={"csrf": given, "note": "x"})
    assert answer.status_code == 403
    assert not world.desk.queries.incident(number).notes


def test_another_persons_token_does_not_fit(world: World, signed_in: SignedIn) -> None:
    number = world.open_incident()
    mine, theirs = signed_in("PP"), signed_in("PW")
    form = {"csrf": token(theirs), "note": "x"}
    assert mine.post(f"/incidents/{number}/note", data=form).status_code == 403


def test_the_session_cookie_is_kept_from_scripts_and_other_sites(client: TestClient) -> None:
    cookie = client.post("/signin", data=SIGN_IN).headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=lax" in cookie
    assert "Secure" not in cookie  # plain http on loopback: the browser would never send it back


def test_the_session_cookie_is_secure_over_https(world: World) -> None:
    client = TestClient(world.app(), base_url="https://testserver", follow_redirects=False)
    cookie = client.post("/signin", data=SIGN_IN).headers["set-cookie"]
    assert "Secure" in cookie


@pytest.mark.parametrize("path", ["/signin", "/api/v1/incidents", "/nowhere"])
def test_every_answer_forbids_scripts_frames_and_keeping(client: TestClient, path: str) -> None:
    headers = client.get(path).headers
    policy = headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "script-src" not in policy  # nothing but 'none' from the default: no script runs at all
    assert "frame-ancestors 'none'" in policy
    assert headers["cache-control"] == "no-store"
    assert headers["x-content-type-options"] == "nosniff"


def test_no_page_needs_a_script_or_an_inline_style(world: World, signed_in: SignedIn) -> None:
    number = world.open_incident()
    client = signed_in("KD")
    for path in ("/", f"/incidents/{number}", "/targets", "/archive", "/report", "/people"):
        page = client.get(path).text
        assert "<script" not in page
        assert " style=" not in page
        assert " onclick=" not in page


def test_a_body_past_the_bound_is_refused_in_one_sentence(
    world: World, signed_in: SignedIn
) -> None:
    number = world.open_incident()
    client = signed_in("PP")
    form = {"csrf": token(client), "note": "x" * (BODY_LIMIT_BYTES + 1)}
    answer = client.post(f"/incidents/{number}/note", data=form)
    assert answer.status_code == 413
    assert not world.desk.queries.incident(number).notes
    told = client.post("/api/v1/incidents", content=b"[" * (BODY_LIMIT_BYTES + 1))
    assert told.status_code == 413


def test_a_dead_store_is_told_on_a_page_and_not_by_a_traceback(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    def dead() -> None:
        raise StoreUnavailable(both("Penyimpanan penuh.", "The store is full."))

    monkeypatch.setattr(world.desk.queries, "snapshot", dead)
    client = TestClient(world.app(), follow_redirects=False, raise_server_exceptions=False)
    client.cookies.set("sigap_session", "whatever")
    answer = client.get("/")
    assert answer.status_code == 503
    assert "Penyimpanan penuh." in answer.text
    assert "Traceback" not in answer.text


def test_a_fault_of_our_own_is_one_sentence_and_a_line_in_the_log(
    world: World, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise ZeroDivisionError("secret detail")

    monkeypatch.setattr(Snapshot, "inbox", broken)
    client = TestClient(world.app(), follow_redirects=False, raise_server_exceptions=False)
    client.post("/signin", data=SIGN_IN)
    answer = client.get("/")
    assert answer.status_code == 500
    assert "secret detail" not in answer.text
    assert "ZeroDivisionError" in caplog.text


@pytest.mark.parametrize(
    "path",
    ["/", "/targets", "/report", "/archive", "/people", "/api/v1/targets", "/static/icon.svg"],
)
def test_head_is_answered_as_get_is_without_the_body(signed_in: SignedIn, path: str) -> None:
    client = signed_in("KD")
    whole, head = client.get(path), client.head(path)
    assert (whole.status_code, head.status_code) == (200, 200)
    assert whole.content
    assert head.content == b""
    assert head.headers["content-length"] == whole.headers["content-length"]
    assert head.headers["content-type"] == whole.headers["content-type"]
    assert head.headers["content-security-policy"] == whole.headers["content-security-policy"]


def test_head_of_a_page_that_is_not_there_or_not_for_this_visitor_says_so(
    client: TestClient, signed_in: SignedIn
) -> None:
    assert client.head("/").status_code == client.get("/").status_code == 303
    assert signed_in("KD").head("/nowhere").status_code == 404
    assert signed_in("KD").head("/signout").status_code == 405


def test_head_over_the_wire_leaves_the_connection_usable(world: World) -> None:
    with served(world.app()) as address:
        host = address.removeprefix("http://")
        talking = http.client.HTTPConnection(host, timeout=20)
        for method in ("HEAD", "GET", "HEAD"):
            talking.request(method, "/signin")
            answer = talking.getresponse()
            assert answer.status == 200
            assert bool(answer.read()) is (method == "GET")
        talking.close()
