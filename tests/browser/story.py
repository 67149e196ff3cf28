"""One incident through the nine steps, by five people in five browsers.

1-2-3-4-5-6-7 (Tidak) -5-6-7 (Ya) -8 (Tidak) -7-8 (Ya) -9; each document is viewed, and each
forbidden action is tried and refused. Works against any address where five people can sign in and
an incident waits at step 1.
"""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, expect

from tests.browser.sitter import Account, Answer, Sitter

Between = Callable[[int], None]
"""Called with the number of the step just signed: where a test moves its clock or heals."""


@dataclass(frozen=True)
class Turn:
    """One signature of the story."""

    step: int
    role: str
    answers: Mapping[str, Answer]
    document: str  # the title it leaves, in Bahasa Indonesia
    decision: str = "approve"


def turns(administrator: str) -> list[Turn]:
    """The whole path; ``administrator`` is the AJ named as taking part in the repair."""
    examined: dict[str, Answer] = {
        "condition": "Tidak ada sesi yang menunggu; replikasi normal.",
        "recovered": True,
    }
    passed_on: dict[str, Answer] = {"statement": "Hasil pemeriksaan terlampir, mohon arahan."}
    verified: dict[str, Answer] = {"verification": "Aplikasi dicoba dan berjalan normal."}
    return [
        Turn(
            1, "PP", {"impact": "Pegawai tidak dapat menyimpan data kepegawaian."}, "Form Laporan"
        ),
        Turn(
            2,
            "PA",
            {
                "check": "Laporan benar, layanan terganggu.",
                "urgency": "segera",
                "breach": False,
                "disposition": "Mohon diselesaikan hari ini juga.",
            },
            "Form Pengecekan",
        ),
        Turn(3, "PW", {"direction": "Akhiri sesi yang menahan kunci."}, "Catatan Disposisi"),
        Turn(
            4,
            "PP",
            {
                "participants": [administrator],
                "cause": "Transaksi laporan bulanan tidak ditutup oleh aplikasi.",
                "action": "Sesi 4711 diakhiri setelah disetujui pemilik aplikasi.",
                "change": "tidak ada",
                "backup": True,
            },
            "Catatan Gangguan",
        ),
        Turn(5, "AJ", examined, "Laporan Gangguan"),
        Turn(6, "PP", passed_on, "Laporan Gangguan"),
        Turn(
            7,
            "PW",
            {
                "return_class": "evidence",
                "return_reason": "Lampirkan bukti setelah jam sibuk.",
                "further_repair": False,
            },
            "Catatan Arahan Pemeriksaan Ulang",
            "return",
        ),
        Turn(5, "AJ", examined, "Laporan Gangguan"),
        Turn(6, "PP", passed_on, "Laporan Gangguan"),
        Turn(7, "PW", verified, "Laporan Penyelesaian Gangguan"),
        Turn(
            8,
            "PA",
            {"return_class": "unclear", "return_reason": "Sebutkan jam pulihnya layanan."},
            "Catatan Pengembalian",
            "return",
        ),
        Turn(7, "PW", verified, "Laporan Penyelesaian Gangguan"),
        Turn(8, "PA", {"check": "Lengkap dan benar."}, "Laporan Penyelesaian Pekerjaan"),
        Turn(
            9,
            "PP",
            {
                "letter_number": "500.12/0421/TIK/2026",
                "urgency": "biasa",
                "recipient": "Kepala Badan Kepegawaian Daerah Provinsi Kalimantan Timur",
                "summary": "Layanan SIMPEG telah pulih dan dapat dipakai kembali.",
                "advice": "Batasi lama transaksi pada laporan bulanan.",
            },
            "Surat Laporan Penyelesaian Gangguan",
        ),
    ]


def tell(
    browser: Browser,
    base_url: str,
    accounts: Mapping[str, Account],
    between: Between = lambda _: None,
    shots: Path | None = None,
    deputy: bool = False,
) -> str:
    """Sign the first incident that waits for PP to its end; returns its number.

    ``accounts``: by role. ``deputy``: PP also holds the role PW (Plt.), to test the separation of
    duties.
    ``shots``: a folder for pictures.
    """
    people = {role: Sitter(browser, base_url, account) for role, account in accounts.items()}
    number = people["PP"].waits_for_me()[0]
    path = turns(accounts["AJ"].username)
    for order, turn in enumerate(path, start=1):
        _refused(people, number, turn, deputy)
        sitter = people[turn.role]
        assert number in sitter.waits_for_me(), f"step {turn.step} is not in {turn.role}'s inbox"
        if order == 1:
            _incomplete(sitter, number)
        _photograph(sitter, number, shots, f"{order:02d}-langkah-{turn.step}-{turn.decision}")
        sitter.sign(number, turn.answers, turn.decision)
        _left_behind(sitter, number, turn)
        between(turn.step)
    _ended(people, number, shots)
    for sitter in people.values():
        sitter.leave()
    return number


def state(base_url: str, account: Account, sitter: Sitter, number: str) -> dict[str, Any]:
    """The incident as the API returns it to that person."""
    basic = b64encode(f"{account.username}:{account.password}".encode()).decode()
    answer = sitter.context.request.get(
        f"{base_url}/api/v1/incidents/{number}", headers={"authorization": f"Basic {basic}"}
    )
    assert answer.ok, answer.text()
    told: dict[str, Any] = json.loads(answer.text())
    return told


def _refused(people: Mapping[str, Sitter], number: str, turn: Turn, deputy: bool) -> None:
    """A person whose turn it is not sees the reason, and a forged post gets the same sentence."""
    wrong = people["KD"]
    sentence = wrong.refusal(number)
    told = state(wrong.base_url, wrong.account, wrong, number)
    assert told["step"] == turn.step
    assert told["waiting"]["refusal"]["id"] == sentence
    answer = wrong.force(number, turn.step, told["version"])
    assert answer.status == 403, answer.status
    assert sentence in _plain(answer.text())
    if deputy and turn.step == 7:
        _cannot_verify_own_repair(people["PP"], number, told["version"])


def _cannot_verify_own_repair(repairer: Sitter, number: str, version: int) -> None:
    sentence = repairer.refusal(number)
    assert "4" in sentence, sentence  # names the step that was signed
    answer = repairer.force(number, 7, version)
    assert answer.status == 403, answer.status
    assert sentence in _plain(answer.text())


def _incomplete(sitter: Sitter, number: str) -> None:
    """An incomplete form comes back with the summary, the field marked, the rest still typed."""
    page = sitter.open(number)
    page.fill('[name="form.reporter"]', "Ibu Ratna, BKD")
    sitter.press()
    expect(page.locator(".errors a")).not_to_have_count(0)
    expect(page.locator('[name="form.impact"][aria-invalid=true]')).to_have_count(1)
    expect(page.locator('[name="form.reporter"]')).to_have_value("Ibu Ratna, BKD")


def _left_behind(sitter: Sitter, number: str, turn: Turn) -> None:
    """The document of the signature: on the office's paper, signed, sealed."""
    documents = sitter.documents(number)
    assert turn.document in documents, documents
    sitter.page.goto(documents[turn.document])
    paper = sitter.page.locator(".paper")
    expect(paper.locator(".kop")).to_be_visible()
    expect(paper.locator(".seal svg")).to_be_visible()
    expect(paper).to_contain_text(number)
    if turn.step != 9:
        expect(paper.locator(".signature .name")).to_have_text(sitter.account.name)
    address = paper.locator(".seal .mono").first.inner_text()
    answer = sitter.context.request.get(address)
    assert answer.status == 200, (address, answer.status)
    assert sitter.context.request.get(address[:-1] + "!").status == 404


def _ended(people: Mapping[str, Sitter], number: str, shots: Path | None) -> None:
    reader = people["KD"]
    told = state(reader.base_url, reader.account, reader, number)
    assert (told["state"], told["outcome"]) == ("closed", "resolved")
    signed = [(v["step"], v["decision"]) for v in told["visits"]]
    assert signed == [
        (turn.step, turn.decision) for turn in turns(people["AJ"].account.username)
    ], signed
    assert not people["PP"].waits_for_me()
    letter = reader.documents(number)["Surat Laporan Penyelesaian Gangguan"]
    page = reader.page
    page.goto(letter)
    for words in ("500.12/0421/TIK/2026", "Yth.", "a.n. Kepala Dinas", "Tembusan", "Lampiran"):
        expect(page.locator(".paper")).to_contain_text(words)
    _shoot(reader, shots, "90-surat")
    page.goto(f"{reader.base_url}/archive")
    expect(page.locator("td.title a").first).to_be_visible()
    _photograph(reader, number, shots, "91-selesai")


def _photograph(sitter: Sitter, number: str, shots: Path | None, name: str) -> None:
    if shots is not None:
        sitter.open(number)
        _shoot(sitter, shots, name)


def _shoot(sitter: Sitter, shots: Path | None, name: str) -> None:
    if shots is not None:
        shots.mkdir(parents=True, exist_ok=True)
        sitter.page.screenshot(path=shots / f"{name}.png", full_page=True)


def _plain(html: str) -> str:
    """A page's text as the sentence has it: entities of quotes written out again."""
    for entity, sign in (("&#34;", '"'), ("&#39;", "'"), ("&amp;", "&"), ("&gt;", ">")):
        html = html.replace(entity, sign)
    return html
