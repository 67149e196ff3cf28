"""Evidence on pages and papers: headings, notes and Sigap's own words in the reader's language; a
server's words, and the English of older ledgers, unchanged.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from fastapi.testclient import TestClient

from probes import Evidence, Exhibit, Words
from tests.incidents.web.conftest import SignedIn
from tests.incidents.web.hands import plain, sign_up_to, token
from tests.incidents.web.world import World, lock_finding
from tests.support.words import both


def an_incident(world: World, state: Words, note: Words, rows: int = 1) -> str:
    """An incident with this evidence."""
    table = Exhibit(both("Sesi", "Sessions"), ("pid", "state"), (("4711", state),) * rows, note)
    found = replace(lock_finding(world.clock.now), evidence=Evidence(world.clock.now, (table,)))
    return world.desk.report(found, world.clock.now).number


def in_english(client: TestClient) -> None:
    client.post("/language", data={"csrf": token(client), "to": "en", "next": "/"})


def test_words_of_ours_are_read_in_the_readers_language(world: World, signed_in: SignedIn) -> None:
    size, note = both("1,2 GB bebas", "1.2 GB free"), both("20 tertua", "the oldest 20")
    number = an_incident(world, size, note)
    client = signed_in("PP")
    page = plain(client.get(f"/incidents/{number}").text)
    assert "1,2 GB bebas" in page
    assert "20 tertua" in page
    assert "the oldest 20" not in page
    in_english(client)
    page = plain(client.get(f"/incidents/{number}").text)
    assert "1.2 GB free" in page
    assert "the oldest 20" in page
    assert "20 tertua" not in page


def test_the_report_on_paper_says_them_too(world: World, signed_in: SignedIn) -> None:
    number = an_incident(world, both("menganggur", "idle"), both("20 tertua", "the oldest 20"))
    sign_up_to(world, number, 6)
    report = next(
        each for each in world.desk.queries.documents(number) if each.kind == "laporan_gangguan"
    )
    client = signed_in("PP")
    paper = plain(client.get(f"/incidents/{number}/documents/{report.id}").text)
    assert "menganggur" in paper
    assert "20 tertua" in paper
    in_english(client)
    paper = plain(client.get(f"/incidents/{number}/documents/{report.id}").text)
    assert "the oldest 20" in paper


def test_what_was_kept_as_one_string_is_shown_as_it_was_said(
    world: World, signed_in: SignedIn
) -> None:
    """A server's words, and everything from a ledger of before evidence had two languages."""
    number = an_incident(world, "idle", "truncated to 3 of 13 waiters")
    sign_up_to(world, number, 6)
    report = next(
        each for each in world.desk.queries.documents(number) if each.kind == "laporan_gangguan"
    )
    client = signed_in("PP")
    for path in (f"/incidents/{number}", f"/incidents/{number}/documents/{report.id}"):
        page = plain(client.get(path).text)
        assert "idle" in page
        assert "truncated to 3 of 13 waiters" in page


def test_a_table_without_rows_says_why_once(world: World, signed_in: SignedIn) -> None:
    number = an_incident(world, "", both("binary log mati", "the binary log is off"), rows=0)
    page = plain(signed_in("PP").get(f"/incidents/{number}").text)
    assert page.count("binary log mati") == 1
    assert "Tidak ada baris." not in page


def test_a_table_without_rows_and_without_a_word_is_said_to_be_empty(
    world: World, signed_in: SignedIn
) -> None:
    number = an_incident(world, "", "", rows=0)
    assert "Tidak ada baris." in plain(signed_in("PP").get(f"/incidents/{number}").text)


def test_the_newest_evidence_is_shown_first_and_earlier_evidence_folded(
    world: World, signed_in: SignedIn
) -> None:
    number = an_incident(world, "holder of yesterday", "")
    world.clock.now += timedelta(minutes=2)
    assert an_incident(world, "holder of now", "") == number
    page = signed_in("PP").get(f"/incidents/{number}").text
    assert page.index("holder of now") < page.index("Bukti sebelumnya")
    assert page.index("Bukti sebelumnya") < page.index("holder of yesterday")


def test_evidence_that_is_not_newer_changes_nothing(world: World) -> None:
    number = an_incident(world, "holder", "")
    before = world.desk.queries.incident(number)
    an_incident(world, "holder", "")
    assert world.desk.queries.incident(number) == before
