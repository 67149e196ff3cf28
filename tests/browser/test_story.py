"""The nine steps in a real browser, on a real desk."""

from __future__ import annotations

from pathlib import Path

import pytest

from incidents.model import Assignment, Basis
from tests.browser import story
from tests.browser.chromium import browser
from tests.browser.serving import served
from tests.browser.sitter import Account
from tests.incidents.web import world as office

SHOTS = Path(__file__).resolve().parents[2] / "build" / "screenshots"

pytestmark = [pytest.mark.browser, pytest.mark.slow]


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_five_people_bring_an_incident_to_its_letter_and_nobody_verifies_their_own_repair(
    tmp_path: Path,
) -> None:
    world = office.build(tmp_path)
    deputy = Assignment(office.CAST["PP"].username, "PW", Basis.PLT, "800/099/2026")
    world.people.assign(deputy, world.clock.now)
    number = world.open_incident()
    accounts = {
        role: Account(person.username, office.PASSWORD, person.name)
        for role, person in office.CAST.items()
    }

    def between(step: int) -> None:
        world.clock.forward(minutes=7)
        if step == 4:
            world.heal()

    with served(world.app()) as base_url, browser() as running:
        assert story.tell(running, base_url, accounts, between, SHOTS, deputy=True) == number
    assert world.desk.queries.incident(number).outcome == "resolved"
