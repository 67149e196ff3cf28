"""The API behaves as the pages do, with the same texts."""

from __future__ import annotations

import json
from typing import Any

import pytest
from fastapi.testclient import TestClient
from openapi_spec_validator import validate

from incidents.model import Assignment, Basis
from tests.incidents.web.conftest import SignedIn
from tests.incidents.web.hands import ANSWERS, plain, sign_up_to, token
from tests.incidents.web.world import CAST, PASSWORD, World

INCIDENTS = "/api/v1/incidents"


def basic(role: str) -> tuple[str, str]:
    return CAST[role].username, PASSWORD


def signoff(step: int, version: int, form: object = None) -> dict[str, Any]:
    return {
        "step": step,
        "decision": "approve",
        "form": dict(ANSWERS[step]) if form is None else form,
        "version": version,
    }


def test_the_description_is_valid_openapi_and_names_every_path(client: TestClient) -> None:
    described = client.get("/api/v1/openapi.json").json()
    validate(described)
    assert {
        INCIDENTS,
        INCIDENTS + "/{number}",
        INCIDENTS + "/{number}/signoffs",
        INCIDENTS + "/{number}/documents/{id}",
        "/api/v1/targets",
    } <= set(described["paths"])
    assert not [path for path in described["paths"] if not path.startswith("/api/v1/")]


def test_without_a_name_nothing_is_told(client: TestClient) -> None:
    answer = client.get(INCIDENTS)
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"].startswith("Basic")
    assert answer.json()["error"]["message_id"]


def test_a_wrong_password_is_401_with_a_sentence(client: TestClient) -> None:
    answer = client.get(INCIDENTS, auth=("putri", "salah"))
    assert answer.status_code == 401
    assert answer.json()["error"]["code"] == "credentials"


def test_incidents_are_listed_by_state(world: World, client: TestClient) -> None:
    number = world.open_incident()
    listed = client.get(INCIDENTS, auth=basic("KD")).json()
    assert [each["number"] for each in listed["incidents"]] == [number]
    assert listed["incidents"][0]["role"] == "PP"
    closed = client.get(INCIDENTS, params={"state": "closed"}, auth=basic("KD")).json()
    assert closed == {"incidents": [], "after": None}


def test_an_incident_is_told_whole(world: World, client: TestClient) -> None:
    number = world.open_incident()
    told = client.get(f"{INCIDENTS}/{number}", auth=basic("PP")).json()
    assert told["waiting"]["may_sign"] is True
    assert told["waiting"]["signers"] == ["putri"]
    assert told["findings"][0]["root"] is True
    table = told["findings"][0]["evidence"]["exhibits"][0]
    assert table["rows"][0][0] == "4711"
    assert table["note"] == {
        "id": "dipotong menjadi 3 dari 13 yang menunggu",
        "en": "truncated to 3 of 13 waiters",
    }
    assert told["overall"]["standard_seconds"] == 22.5 * 3600
    assert told["timeline"][0]["kind"] == "opened"
    refused = client.get(f"{INCIDENTS}/{number}", auth=basic("KD")).json()
    assert refused["waiting"]["may_sign"] is False


def test_a_signature_by_the_api_moves_the_incident_and_leaves_a_document(
    world: World, client: TestClient
) -> None:
    number = world.open_incident()
    version = world.desk.queries.incident(number).version
    answer = client.post(
        f"{INCIDENTS}/{number}/signoffs", json=signoff(1, version), auth=basic("PP")
    )
    assert answer.status_code == 201, answer.text
    assert answer.json()["step"] == 2
    listed = client.get(f"{INCIDENTS}/{number}/documents", auth=basic("PP")).json()["documents"]
    one = client.get(f"{INCIDENTS}/{number}/documents/{listed[0]['id']}", auth=basic("PP")).json()
    assert one["sha256"] == listed[0]["sha256"]
    assert one["data"]["signer"]["name"] == CAST["PP"].name
    page = client.get(f"{INCIDENTS}/{number}/documents/{listed[0]['id']}.html", auth=basic("PP"))
    assert page.headers["content-type"].startswith("text/html")
    assert one["sha256"] in page.text


def test_the_wrong_role_gets_403_with_the_sentence_of_the_page(
    world: World, client: TestClient, signed_in: SignedIn
) -> None:
    number = world.open_incident()
    version = world.desk.queries.incident(number).version
    answer = client.post(
        f"{INCIDENTS}/{number}/signoffs", json=signoff(1, version), auth=basic("PW")
    )
    assert answer.status_code == 403
    error = answer.json()["error"]
    assert error["code"] == "role"
    assert error["message_id"] in plain(signed_in("PW").get(f"/incidents/{number}").text)


def test_the_person_who_repaired_cannot_verify(world: World, client: TestClient) -> None:
    number = world.open_incident()
    sign_up_to(world, number, 6)
    world.people.assign(Assignment("putri", "PW", Basis.PLT, "800/1/2026"), world.clock.now)
    version = world.desk.queries.incident(number).version
    answer = client.post(
        f"{INCIDENTS}/{number}/signoffs", json=signoff(7, version), auth=basic("PP")
    )
    assert answer.status_code == 403
    assert answer.json()["error"]["code"] == "separation"
    assert world.desk.queries.incident(number).step == 7


def test_a_stale_version_is_409(world: World, client: TestClient) -> None:
    number = world.open_incident()
    version = world.desk.queries.incident(number).version
    path = f"{INCIDENTS}/{number}/claims"
    assert client.post(path, json={"version": version}, auth=basic("PP")).status_code == 201
    answer = client.post(
        f"{INCIDENTS}/{number}/signoffs", json=signoff(1, version), auth=basic("PP")
    )
    assert answer.status_code == 409
    assert answer.json()["error"]["code"] == "stale"


def test_an_incomplete_form_is_422_and_names_the_fields(world: World, client: TestClient) -> None:
    number = world.open_incident()
    body = signoff(
        1, world.desk.queries.incident(number).version, form={"title": "x", "colour": "red"}
    )
    answer = client.post(f"{INCIDENTS}/{number}/signoffs", json=body, auth=basic("PP"))
    assert answer.status_code == 422
    fields = answer.json()["error"]["fields"]
    assert {"impact", "agency"} <= set(fields)
    assert fields["impact"]["message"] and fields["impact"]["message_id"]


@pytest.mark.parametrize("body", [b"{", b"", b'{"step": 1', b"\xff\xfe"])
def test_what_is_no_json_gets_one_sentence(world: World, client: TestClient, body: bytes) -> None:
    number = world.open_incident()
    answer = client.post(
        f"{INCIDENTS}/{number}/signoffs",
        content=body,
        headers={"content-type": "application/json"},
        auth=basic("PP"),
    )
    assert answer.status_code in (400, 422)
    assert answer.json()["error"]["message"]
    assert "Traceback" not in answer.text


@pytest.mark.parametrize(
    "changed", [{"decision": "maybe"}, {"version": "new"}, {"colour": "red"}, {"form": []}]
)
def test_a_wrong_or_unknown_key_is_named(
    world: World, client: TestClient, changed: dict[str, Any]
) -> None:
    number = world.open_incident()
    body = signoff(1, world.desk.queries.incident(number).version) | changed
    answer = client.post(f"{INCIDENTS}/{number}/signoffs", json=body, auth=basic("PP"))
    assert answer.status_code == 422
    assert next(iter(changed)) in answer.json()["error"]["fields"]


@pytest.mark.parametrize(
    "form",
    [
        {"impact": "nul\x00nul"},
        {"impact": "\ud800"},
        {"impact": 10**400},
        {"impact": float("1e308")},
        {"impact": {"deep": [[[[]]]]}},
    ],
)
def test_values_the_ledger_cannot_keep_are_refused_and_write_nothing(
    world: World, client: TestClient, form: dict[str, Any]
) -> None:
    number = world.open_incident()
    before = world.desk.queries.ledger_head()
    body = signoff(1, world.desk.queries.incident(number).version)
    body["form"].update(form)
    answer = client.post(
        f"{INCIDENTS}/{number}/signoffs",
        content=json.dumps(body).encode(),
        headers={"content-type": "application/json"},
        auth=basic("PP"),
    )
    assert answer.status_code in (400, 422), answer.text
    assert world.desk.queries.ledger_head() == before


def test_a_report_by_hand_answers_where_its_incident_is(client: TestClient) -> None:
    body = {"title": "e-Surat lambat", "severity": "warning", "source": "agency"}
    answer = client.post(INCIDENTS, json=body, auth=basic("PP"))
    assert answer.status_code == 201
    told = client.get(answer.headers["location"], auth=basic("PP")).json()
    assert told["source"] == "agency"
    assert told["title"]["id"] == "e-Surat lambat"


def test_remarks_and_dismissals_go_through_the_api_too(world: World, client: TestClient) -> None:
    number = world.open_incident()
    sign_up_to(world, number, 1)
    noted = client.post(
        f"{INCIDENTS}/{number}/notes", json={"text": "Menunggu vendor."}, auth=basic("AJ")
    )
    assert noted.status_code == 201
    assert "Menunggu vendor." in noted.json()["timeline"][-1]["text"]["id"]
    body = {
        "outcome": "not_a_disruption",
        "reason": "Uji coba.",
        "version": world.desk.queries.incident(number).version,
    }
    path = f"{INCIDENTS}/{number}/dismissals"
    assert client.post(path, json=body, auth=basic("PW")).status_code == 403
    assert client.post(path, json=body, auth=basic("PA")).json()["state"] == "closed"


def test_a_pages_session_needs_its_token_to_change_anything(
    world: World, signed_in: SignedIn
) -> None:
    number = world.open_incident()
    client = signed_in("PP")
    assert client.get(INCIDENTS).status_code == 200
    path = f"{INCIDENTS}/{number}/notes"
    assert client.post(path, json={"text": "x"}).status_code == 403
    right = {"x-csrf-token": token(client)}
    assert client.post(path, json={"text": "x"}, headers=right).status_code == 201


def test_remembered_basic_credentials_are_no_use_to_another_site(
    world: World, client: TestClient
) -> None:
    number = world.open_incident()
    answer = client.post(
        f"{INCIDENTS}/{number}/notes",
        json={"text": "x"},
        auth=basic("PP"),
        headers={"sec-fetch-site": "cross-site"},
    )
    assert answer.status_code == 403


@pytest.mark.parametrize("tail", ["/GDB-2026-9999", "/GDB-2026-9999/documents/x", "/a/b/c/d"])
def test_what_does_not_exist_is_404_with_a_sentence(client: TestClient, tail: str) -> None:
    answer = client.get(INCIDENTS + tail, auth=basic("PP"))
    assert answer.status_code == 404
    assert answer.json()["error"]["message"]


def test_a_method_that_is_not_taken_is_405_with_a_sentence(client: TestClient) -> None:
    answer = client.delete(INCIDENTS, auth=basic("PP"))
    assert answer.status_code == 405
    assert answer.json()["error"]["message"]


def test_targets_tell_blind_from_well(client: TestClient) -> None:
    told = client.get("/api/v1/targets", auth=basic("AJ")).json()["targets"]
    states = {each["name"]: each["state"] for each in told}
    assert states == {"simpeg-primary": "critical", "esurat-replica": "blind", "arsip": "ok"}
