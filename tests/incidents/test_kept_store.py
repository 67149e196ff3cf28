"""A store that the version at 463d6a8 wrote: it opens, verifies, reads the same and goes on."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from agent.cli import main
from incidents.calendar import load as calendar
from incidents.desk import Desk
from incidents.ledger.verify import verify
from incidents.model import Outcome
from incidents.people.accounts import People
from incidents.procedure import load as procedure
from incidents.store import Store, open_store
from tests.incidents.kept_store.make import Hand, report
from tests.incidents.kept_store.reading import LANGUAGES, NOW, PAGES, READ, pages, unpacked
from tests.incidents.web.world import HandClock, World

REWORDED: tuple[tuple[str, str], ...] = (
    ("Untuk gangguan yang tidak terlihat", "Untuk masalah yang tidak terlihat"),
    ("Form ini membuka insiden pada", "Form ini mencatat gangguan baru pada"),
    ("Berlanjut di insiden lain", "Berlanjut pada gangguan lain"),
    ("di insiden lain sejak", "pada gangguan lain sejak"),
    ("Insiden", "Gangguan"),
    ("insiden", "gangguan"),
)
"""Words of the pages that were changed on purpose since: (then, now), applied in this order."""


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = open_store(f"sqlite:///{unpacked(tmp_path)}")
    yield opened
    opened.close()


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, list[str]]:
    opened = open_store(f"sqlite:///{unpacked(tmp_path_factory.mktemp('kept'))}")
    found = pages(opened)
    opened.close()
    return found


@pytest.fixture(scope="module")
def then() -> Mapping[str, list[str]]:
    kept: dict[str, list[str]] = json.loads(PAGES.read_text(encoding="utf-8"))
    return {key: [_reworded(line) for line in lines] for key, lines in kept.items()}


def _reworded(line: str) -> str:
    for old, new in REWORDED:
        line = line.replace(old, new)
    return line


def test_its_ledger_summaries_and_documents_are_whole(store: Store) -> None:
    found = verify(store)
    assert found.problem is None
    assert (found.events, found.documents) == (44, 33)


def test_the_command_line_verifies_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    unpacked(tmp_path)
    config = tmp_path / "agent.yaml"
    config.write_text(
        f"store: sqlite:///{tmp_path / 'sigap.db'}\n"
        "targets: [{name: db, engine: postgresql, url: postgresql://sigap@127.0.0.1/postgres}]\n",
        encoding="utf-8",
    )
    assert main(["verify", "-c", str(config), "--lang", "en"]) == 0
    assert "the ledger is whole: 44 events, 33 documents" in capsys.readouterr().out


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize(("who", "path"), READ)
def test_its_pages_read_as_the_version_that_wrote_it_showed_them(
    who: str,
    path: str,
    language: str,
    shown: Mapping[str, list[str]],
    then: Mapping[str, list[str]],
) -> None:
    key = f"{language} {who} {path}"
    assert shown[key] == then[key]


def test_an_incident_it_left_open_is_signed_to_its_letter_under_its_own_procedure(
    store: Store,
) -> None:
    desk = Desk(store, procedure.load("kaltim"), calendar.load("kaltim"))
    hand = Hand(World(store, desk, People(store), HandClock(NOW)))
    number = "GDB-2026-0003"
    hand.sign_until(number, 0)
    assert desk.queries.incident(number).outcome is Outcome.RESOLVED
    letter = desk.queries.documents(number)[-1].data["letter"]
    assert letter["body"][0]["text"] == (
        "Sehubungan dengan gangguan database Arsip yang kami catat dengan nomor GDB-2026-0003, "
        "bersama ini kami sampaikan bahwa gangguan tersebut telah selesai ditangani dengan "
        "penjelasan sebagai berikut."
    )
    assert letter["attachment"] == "1 (satu) berkas"
    assert letter["attached_document"] == "8-1-laporan-penyelesaian-pekerjaan"
    assert letter["signature"]["position"] == "Kepala Bidang TIK"
    assert letter["copies"] == ["Sekretaris Daerah", "Kepala BKD"]
    assert verify(store).problem is None


def test_a_new_incident_is_numbered_after_its_last(store: Store) -> None:
    desk = Desk(store, procedure.load("kaltim"), calendar.load("kaltim"))
    hand = Hand(World(store, desk, People(store), HandClock(NOW)))
    assert report(hand, "simpeg-primary", "up", "availability") == "GDB-2026-0006"


def test_another_procedure_takes_over_while_its_incidents_run_under_their_own(
    store: Store,
) -> None:
    sre = Path(__file__).resolve().parents[1] / "procedures" / "sre.yaml"
    desk = Desk(store, procedure.load(sre), calendar.load("kaltim"))
    assert set(desk.queries.roles_in_use()) == {
        "AJ",
        "KD",
        "PA",
        "PP",
        "PW",
        "LEAD",
        "MANAGER",
        "ONCALL",
    }
    hand = Hand(World(store, desk, People(store), HandClock(NOW)))
    assert report(hand, "simpeg-primary", "up", "availability") == "INC-2026-0006"
    hand.sign_until("GDB-2026-0003", 0)
    assert desk.queries.incident("GDB-2026-0003").outcome is Outcome.RESOLVED
    hand.sign_until("GDB-2026-0005", 0)
    assert set(desk.queries.roles_in_use()) == {"LEAD", "MANAGER", "ONCALL"}
