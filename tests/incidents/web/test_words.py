"""Both languages of the pages: instants and figures."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from fastapi.testclient import TestClient

from incidents.web.display.formatting import Sayer
from incidents.web.display.target_health import ProbeHealth, ProbeState, TargetHealth
from incidents.web.rendering import said_in
from probes import Text
from probes.i18n.headings import heading
from tests.incidents.web.conftest import SignedIn
from tests.incidents.web.hands import token
from tests.incidents.web.world import CAST, World

NOW = datetime(2026, 11, 23, 6, 5, 7, tzinfo=UTC)  # 14.05.07 WITA, a Monday
ID = Sayer("id", ZoneInfo("Asia/Makassar"), NOW)
EN = Sayer("en", ZoneInfo("Asia/Makassar"), NOW)


def test_a_visitor_reads_indonesian_until_they_choose_english(client: TestClient) -> None:
    assert '<html lang="id">' in client.get("/signin").text
    chosen = client.post("/language", data={"to": "en", "next": "/signin"})
    assert chosen.status_code == 303
    page = client.get("/signin").text
    assert '<html lang="en">' in page
    assert "Sign in" in page


def test_a_person_whose_language_is_english_reads_english_at_once(
    world: World, signed_in: SignedIn
) -> None:
    world.people.update(replace(CAST["AJ"], language="en"), world.clock.now)
    assert '<html lang="en">' in signed_in("AJ").get("/").text


def test_an_unknown_language_falls_back_to_indonesian(signed_in: SignedIn) -> None:
    client = signed_in("AJ")
    client.post("/language", data={"csrf": token(client), "to": "xx", "next": "/"})
    assert '<html lang="id">' in client.get("/").text


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        (ID.time(NOW), "14.05 WITA"),
        (EN.time(NOW), "14:05 WITA"),
        (ID.time(NOW + timedelta(days=1)), "24 Nov 14.05 WITA"),
        (ID.time(NOW - timedelta(days=200)), "7 Mei 14.05 WITA"),
        (ID.time(NOW + timedelta(days=60)), "22 Jan 2027 14.05 WITA"),
        (ID.stamp(NOW), "23 Nov 2026 14.05 WITA"),
        (ID.moment(NOW), "Senin, 23 November 2026 14.05.07 WITA"),
        (EN.moment(NOW), "Monday, 23 November 2026 14:05:07 WITA"),
        (Sayer("id", ZoneInfo("Asia/Jakarta"), NOW).clock(NOW), "13.05 WIB"),
        (ID.relative(NOW + timedelta(minutes=12)), "12 menit lagi"),
        (EN.relative(NOW + timedelta(minutes=1)), "in 1 minute"),
        (ID.relative(NOW - timedelta(minutes=90)), "1 jam 30 menit lalu"),
        (EN.relative(NOW - timedelta(hours=9)), "9 hours ago"),
        (ID.relative(NOW + timedelta(days=2)), "2 hari lagi"),
        (ID.relative(NOW), "baru saja"),
        (ID.span(81000), "22 jam 30 menit"),
        (EN.span(-900), "−15 min"),
        (ID.span(59.6), "1 menit"),
        (ID.number(1234.5), "1.234,5"),
        (EN.number(1234.5), "1,234.5"),
        (ID.number(1200), "1.200"),
        (ID.number(10.0), "10"),
        (ID.quantity(0.125, "ratio"), "12,5 %"),
        (ID.quantity(1536, "bytes"), "1,5 kB"),
        (EN.quantity(0.0312, "seconds"), "0.031 s"),
        (ID.quantity(3600, "seconds"), "1 jam"),
        (ID.quantity(12, ""), "12"),
        (ID.measured("start_time_seconds", NOW.timestamp(), "seconds"), "14.05 WITA"),
        (EN.measured("login_seconds", 0.25, "seconds"), "0.25 s"),
        (ID.written("tadi pagi"), "tadi pagi"),
        (ID.written("2026-11-23T14:00"), "14.00 WITA"),
    ],
)
def test_it_is_said_as_people_write_it(said: str, expected: str) -> None:
    assert said == expected


def test_a_target_is_as_bad_as_its_worst_probe_and_never_well_unasked() -> None:
    def probe(state: ProbeState) -> ProbeHealth:
        return ProbeHealth(state.value, Text(""), state)

    mixed = TargetHealth("a", "x", probes=(probe(ProbeState.WARNING), probe(ProbeState.BLIND)))
    assert mixed.state is ProbeState.BLIND
    assert TargetHealth("b", "x").state is ProbeState.STALE


def test_the_head_of_evidence_is_said_in_indonesian_and_the_servers_words_stay() -> None:
    said = [said_in(heading(name), "id") for name in ("session", "slot_name", "Gtid_IO_Pos")]
    assert said == ["sesi", "nama slot", "Gtid_IO_Pos"]
    assert said_in(heading("slot_name"), "en") == "slot_name"
