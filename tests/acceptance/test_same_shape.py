"""The command line's ``--json`` and the API give the same answer."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from probes import Address
from tests.acceptance.office import FIRST_FORM, PASSWORD, Office, add_people, said
from tests.support.agent import running, sigap, target_lines, write_config
from tests.support.builders import a_target
from tests.support.wait import until

pytestmark = pytest.mark.processes

COUNTS_UP = {
    "used_seconds", "remaining_seconds", "wall_seconds", "room_seconds", "downtime_seconds",
    "green_seconds",
}  # fmt: skip
"""What differs between two questions because time passes; only its presence is compared."""


@pytest.fixture(scope="module")
def office(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Office]:
    folder = tmp_path_factory.mktemp("office")
    down = target_lines(a_target("mati", address=Address("127.0.0.1", 1, "sigap")))
    file = write_config(folder, [down])
    add_people(folder)
    with running(file) as agent:
        office = Office(agent)
        until("an incident", lambda: office.api("GET", "/incidents")[1]["incidents"])
        yield office


def still(value: Any) -> Any:
    """The value with its running figures stopped."""
    if isinstance(value, dict):
        return {k: k if k in COUNTS_UP and v is not None else still(v) for k, v in value.items()}
    return [still(each) for each in value] if isinstance(value, list) else value


def printed(folder: Path, *words: str, stdin: str = "") -> Any:
    return json.loads(said(sigap("incidents", *words, "--json", folder=folder, stdin=stdin)))


@pytest.mark.parametrize("state", ["open", "closed", "all"])
def test_a_list_of_incidents_is_the_same_on_the_command_line(office: Office, state: str) -> None:
    status, told = office.api("GET", f"/incidents?state={state}")
    assert status == 200
    assert printed(office.agent.folder, "list", "--state", state) == told


@pytest.mark.parametrize("user", ["budi", "ani"])
def test_an_incident_is_the_same_on_the_command_line_for_the_same_person(
    office: Office, user: str
) -> None:
    number = office.api("GET", "/incidents")[1]["incidents"][0]["number"]
    told = office.api("GET", f"/incidents/{number}", user=user)[1]
    shown = printed(office.agent.folder, "show", number, "--as", user)
    assert still(shown) == still(told)
    assert shown["waiting"]["may_sign"] is (user == "budi")


def test_without_a_person_only_what_concerns_the_person_differs(office: Office) -> None:
    number = office.report("Tanpa nama")
    told = office.api("GET", f"/incidents/{number}")[1]
    shown = printed(office.agent.folder, "show", number)
    assert shown["waiting"]["may_sign"] is False and shown["waiting"]["refusal"]
    for each in (told, shown):
        del each["waiting"]["may_sign"], each["waiting"]["refusal"]
    assert still(shown) == still(told)


def test_opening_and_signing_print_the_incident_as_the_api_then_shows_it(office: Office) -> None:
    folder = office.agent.folder
    opened = printed(
        folder, "open", "--title", "Lewat terminal", "--as", "budi", stdin=PASSWORD
    )  # fmt: skip
    number = opened["number"]
    assert still(opened) == still(office.api("GET", f"/incidents/{number}")[1])
    (folder / "form.json").write_text(json.dumps(FIRST_FORM))
    signed = printed(folder, "sign", number, "--form", "@form.json", "--as", "budi", stdin=PASSWORD)
    assert signed["step"] == 2
    assert still(signed) == still(office.api("GET", f"/incidents/{number}")[1])
