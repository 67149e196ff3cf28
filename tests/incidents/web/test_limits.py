"""Pages, API and desk take the same number of characters."""

from __future__ import annotations

import re
from typing import Any

import pytest
from fastapi.testclient import TestClient

from incidents.model import Decision, Outcome
from incidents.procedure import limits
from incidents.procedure.model import FieldKind
from incidents.workflow.actions import (
    Action,
    ActionRefused,
    AddNote,
    Dismiss,
    Dispense,
    RefusalKind,
    Sign,
)
from tests.incidents.web.conftest import SignedIn
from tests.incidents.web.hands import ANSWERS, sign_up_to, token
from tests.incidents.web.world import CAST, World

TYPED = ("title", "description", "application", "agency", "reporter", "contact")
"""What is typed into the Form Laporan; a server is chosen from a list."""


@pytest.fixture
def bodies(client: TestClient) -> dict[str, Any]:
    """The request bodies of the API, as it describes them."""
    schemas: dict[str, Any] = client.get("/api/v1/openapi.json").json()["components"]["schemas"]
    return schemas


def longest_on(page: str, name: str) -> int:
    """How many characters a control takes."""
    (control,) = re.findall(rf'<(?:input|textarea)[^>]* name="{re.escape(name)}"[^>]*>', page)
    found = re.search(r'maxlength="(\d+)"', control)
    assert found, f"{name} takes any number of characters"
    return int(found[1])


@pytest.mark.parametrize("name", TYPED)
def test_a_report_takes_the_same_on_the_page_through_the_api_and_at_the_desk(
    world: World, signed_in: SignedIn, bodies: dict[str, Any], name: str
) -> None:
    most = limits.REPORT[name]
    assert longest_on(signed_in("PP").get("/report").text, name) == most
    assert bodies["ReportIn"]["properties"][name]["maxLength"] == most
    form = {"title": "SIMPEG lambat", name: "x" * most}
    putri = world.people.signer(CAST["PP"].username, world.clock.now.date())
    assert world.desk.report_manually(form, putri, world.clock.now).report[name] == "x" * most
    with pytest.raises(ActionRefused) as caught:
        world.desk.report_manually(form | {name: "x" * (most + 1)}, putri, world.clock.now)
    assert list(caught.value.refusal.fields) == [name]


def test_every_field_of_a_report_that_the_api_takes_has_the_limit_of_the_desk(
    bodies: dict[str, Any],
) -> None:
    described = bodies["ReportIn"]["properties"]
    assert described.keys() - {"source"} == limits.REPORT.keys()
    typed = {name: each["maxLength"] for name, each in described.items() if "maxLength" in each}
    assert typed == {name: most for name, most in limits.REPORT.items() if name in typed}
    assert described.keys() - typed.keys() == {"source", "occurred_at", "severity"}


@pytest.mark.parametrize(
    ("body", "field", "control", "make"),
    [
        ("NoteIn", "text", "note", lambda text, version: AddNote(text)),
        (
            "DismissIn",
            "reason",
            "dismiss_reason",
            lambda text, version: Dismiss(Outcome.NOT_A_DISRUPTION, text, version),
        ),
        (
            "DispenseIn",
            "reason",
            "dispense_reason",
            lambda text, version: Dispense(7, "putri", text, version),
        ),
    ],
)
def test_a_remark_and_a_reason_take_the_same_everywhere(
    world: World, signed_in: SignedIn, bodies: dict[str, Any], body: str, field: str, control: str,
    make: Any,
) -> None:  # fmt: skip
    number = world.open_incident()
    sign_up_to(world, number, 1)
    role = "KD" if body == "DispenseIn" else "PA"
    page = signed_in(role).get(f"/incidents/{number}").text
    assert longest_on(page, control) == limits.PARAGRAPH
    assert bodies[body]["properties"][field]["maxLength"] == limits.PARAGRAPH
    signer = world.people.signer(CAST[role].username, world.clock.now.date())
    assert signer is not None
    incident = world.desk.queries.incident(number)
    refused = [
        world.desk.queries.check_permission(incident, action, signer, world.clock.now)
        for size in (limits.PARAGRAPH, limits.PARAGRAPH + 1)
        for action in [make("x" * size, incident.version)]
    ]
    assert refused[0] is None
    assert refused[1] is not None and refused[1].kind is RefusalKind.FORM


def test_a_form_of_a_step_takes_as_much_on_the_page_as_at_the_desk(
    world: World, signed_in: SignedIn
) -> None:
    number = world.open_incident()
    details = world.desk.queries.details(number, _putri(world), world.clock.now)
    page = signed_in("PP").get(f"/incidents/{number}").text
    step, kinds = details.procedure.step(1), set()
    for field in step.form:
        if field.kind in (FieldKind.TEXT, FieldKind.PARAGRAPH):
            kinds.add(field.kind)
            most = longest_on(page, f"form.{field.name}")
            for size, problems in ((most, []), (most + 1, [field.name])):
                form = {**ANSWERS[1], field.name: "x" * size}
                action: Action = Sign(1, Decision.APPROVE, form, details.incident.version)
                refused = world.desk.queries.check_permission(
                    details.incident, action, _putri(world), world.clock.now
                )
                assert ([] if refused is None else list(refused.fields)) == problems
    assert kinds == {FieldKind.TEXT, FieldKind.PARAGRAPH}


def _putri(world: World) -> Any:
    return world.people.signer("putri", world.clock.now.date())


def test_lines_of_a_posted_remark_count_as_the_browser_counts_them(
    world: World, signed_in: SignedIn
) -> None:
    number = world.open_incident()
    client = signed_in("PP")
    lines = "\r\n".join("x" * 99 for _ in range(100))  # 9999 characters on the page
    answer = client.post(f"/incidents/{number}/note", data={"csrf": token(client), "note": lines})
    assert answer.status_code == 303
    (remark,) = world.desk.queries.incident(number).notes
    assert len(remark.text) == 9999


def test_too_long_a_title_is_told_in_both_languages_by_the_api(signed_in: SignedIn) -> None:
    client = signed_in("PP")
    answer = client.post(
        "/api/v1/incidents",
        json={"title": "x" * (limits.REPORT["title"] + 1)},
        headers={"x-csrf-token": token(client)},
    )
    assert answer.status_code == 422
    told = answer.json()["error"]["fields"]["title"]
    assert told == {
        "message": "This takes at most 200 characters",
        "message_id": "Bagian ini paling banyak 200 karakter",
    }
