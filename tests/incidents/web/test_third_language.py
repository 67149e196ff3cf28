"""A third language is one catalogue: ten Malay sentences, and English where it has none."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC

import pytest

from agent.cli import main
from incidents.web.display.formatting import Sayer
from probes.i18n import Text, languages
from probes.i18n.formats import number
from probes.postgresql.connection.availability import PROBE
from tests.incidents.web.conftest import SignedIn
from tests.incidents.web.hands import plain, token
from tests.incidents.web.world import CAST, World
from tests.support.languages import further_language

MALAY: dict[str | tuple[str, str], str] = {
    ("name of this language", "English"): "Bahasa Melayu",
    "Sign in": "Log masuk",
    "Username": "Nama pengguna",
    "Inbox": "Peti masuk",
    "Receive and record the report": "Terima dan catat laporan",
    "{target} should be a {expected} but is a {actual}": "{target} patut {expected}, kini {actual}",
    "QUESTION": "SOALAN",
    "November": "Nov.",
    "just now": "sebentar tadi",
    "min": "minit",
}


@pytest.fixture(autouse=True)
def malay(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    with further_language("ms", MALAY, tmp_path_factory.mktemp("locale")):
        yield


def test_the_catalogue_is_all_that_was_added() -> None:
    assert languages() == ("id", "en", "ms")
    assert len(MALAY) == 10


def test_pages_offer_it_and_say_the_rest_in_english(world: World, signed_in: SignedIn) -> None:
    client = signed_in("PP")
    offered = re.findall(r'name="to" value="(\w+)" lang="\w+">([^<]+)<', client.get("/").text)
    assert offered == [("en", "English"), ("ms", "Bahasa Melayu")]
    client.post("/language", data={"csrf": token(client), "to": "ms", "next": "/"})
    page = client.get("/").text
    assert '<html lang="ms">' in page
    assert "Peti masuk" in page
    assert "Sign out" in page


def test_a_person_whose_language_it_is_reads_it_also_in_the_procedure(
    world: World, signed_in: SignedIn
) -> None:
    world.people.update(replace(CAST["PP"], language="ms"), world.clock.now)
    number_ = world.open_incident()
    assert "Terima dan catat laporan" in plain(signed_in("PP").get(f"/incidents/{number_}").text)


def test_a_finding_is_told_in_it() -> None:
    (title,) = (each.title for each in PROBE.thresholds if "should be" in each.title.said_in("en"))
    values = {"target": "a1", "expected": Text("primary"), "actual": Text("replica")}
    assert title.filled(values).said_in("ms") == "a1 patut primary, kini replica"
    assert PROBE.question.said_in("ms") == PROBE.question.en


def test_the_command_line_takes_it(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["probes", "--lang", "ms"]) == 0
    heads, first, *_ = capsys.readouterr().out.splitlines()
    assert "SOALAN" in heads
    assert "PROBE" in heads
    assert PROBE.question.id not in first


def test_dates_and_figures_are_written_its_way(world: World) -> None:
    say = Sayer("ms", UTC, world.clock.now)
    assert say.long_date(world.clock.now).split(" ", 1)[1] == "Nov. 2026"
    assert say.relative(world.clock.now) == "sebentar tadi"
    assert say.span(720) == "12 minit"
    assert number(1234.5, 1).said_in("ms") == "1,234.5"
