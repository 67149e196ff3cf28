"""Reads the pages of a kept store as text, so that two versions of the pages can be compared."""

from __future__ import annotations

import gzip
from collections.abc import Mapping
from datetime import UTC, datetime
from html.parser import HTMLParser
from pathlib import Path

from fastapi.testclient import TestClient

from incidents.calendar import load as calendar
from incidents.desk import Desk
from incidents.documents.model import Office
from incidents.people.accounts import People
from incidents.people.sessions import Sessions
from incidents.procedure import load as procedure
from incidents.store import Store
from incidents.web.access.auth import SESSION_COOKIE
from incidents.web.app import create_app

HERE = Path(__file__).parent
STORE = HERE / "463d6a8.db.gz"
PAGES = HERE / "463d6a8.json"
PASSWORD = "rahasia-uji-coba-7"
NOW = datetime(2026, 11, 26, 2, 0, tzinfo=UTC)
"""When the pages are read: two working days after the last event."""

LANGUAGES = ("id", "en")
HEAD = ("head", "script", "style", "svg")
INLINE = ("a", "b", "strong", "span", "small", "time", "code", "em", "button", "i")

READ: tuple[tuple[str, str], ...] = (
    ("putri", "/"),
    ("wahyu", "/"),
    ("siti", "/archive"),
    ("siti", "/people"),
    ("putri", "/report"),
    ("siti", "/incidents/GDB-2026-0001"),
    ("siti", "/incidents/GDB-2026-0002"),
    ("siti", "/incidents/GDB-2026-0003"),
    ("andi", "/incidents/GDB-2026-0003"),
    ("siti", "/incidents/GDB-2026-0004"),
    ("rahmat", "/incidents/GDB-2026-0005"),
    ("siti", "/incidents/GDB-2026-0005"),
    ("siti", "/incidents/GDB-2026-0001/documents"),
    ("siti", "/incidents/GDB-2026-0001/documents/1-1-form-laporan"),
    ("siti", "/incidents/GDB-2026-0001/documents/2-1-form-pengecekan"),
    ("siti", "/incidents/GDB-2026-0001/documents/4-1-catatan-gangguan"),
    ("siti", "/incidents/GDB-2026-0001/documents/6-2-laporan-gangguan"),
    ("siti", "/incidents/GDB-2026-0001/documents/7-1-catatan-arahan-pemeriksaan-ulang"),
    ("siti", "/incidents/GDB-2026-0001/documents/7-3-laporan-penyelesaian-gangguan"),
    ("siti", "/incidents/GDB-2026-0001/documents/8-2-laporan-penyelesaian-pekerjaan"),
    ("siti", "/incidents/GDB-2026-0001/documents/9-1-surat-laporan-penyelesaian"),
    ("siti", "/incidents/GDB-2026-0002/documents/2-1-catatan-penutupan"),
    ("siti", "/incidents/GDB-2026-0003/documents/7-1-catatan-arahan-pemeriksaan-ulang"),
    ("siti", "/incidents/GDB-2026-0004/documents/7-1-laporan-penyelesaian-gangguan"),
    ("siti", "/incidents/GDB-2026-0004/documents/9-1-surat-laporan-penyelesaian"),
)
"""Who reads which page."""


def unpacked(folder: Path) -> Path:
    """A copy of the kept store to open, since opening one migrates it."""
    file = folder / "sigap.db"
    file.write_bytes(gzip.decompress(STORE.read_bytes()))
    return file


def pages(store: Store) -> Mapping[str, list[str]]:
    """The text of every page of ``READ`` in both languages, by "language who path"."""
    desk = Desk(store, procedure.load("kaltim"), calendar.load("kaltim"))
    people = People(store)
    office = Office(government="PEMERINTAH PROVINSI", agency="DINAS KOMINFO")
    app = create_app(desk, people, office, tuple, lambda: NOW, base_url="https://sigap.example")
    found = {}
    for who in dict.fromkeys(who for who, _ in READ):
        client = TestClient(app, follow_redirects=False)
        session = Sessions(store).sign_in(who, PASSWORD, "127.0.0.1", NOW)
        client.cookies.set(SESSION_COOKIE, session.token)
        for language in LANGUAGES:
            client.cookies.set("sigap_language", language)
            for path in (path for reader, path in READ if reader == who):
                answer = client.get(path)
                assert answer.status_code == 200, (who, path, answer.status_code)
                found[f"{language} {who} {path}"] = text_of(answer.text)
    return found


class _Text(HTMLParser):
    """The visible words of a page, one line for each block."""

    def __init__(self) -> None:
        super().__init__()
        self.lines = [""]
        self._hidden = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._hidden += tag in HEAD
        if tag not in INLINE:
            self.lines.append("")
        given = dict(attrs)
        if tag == "input" and given.get("type") != "hidden":
            self.lines[-1] += given.get("value") or ""

    def handle_endtag(self, tag: str) -> None:
        self._hidden -= tag in HEAD
        if tag not in INLINE:
            self.lines.append("")

    def handle_data(self, data: str) -> None:
        if not self._hidden:
            self.lines[-1] += data


def text_of(page: str) -> list[str]:
    """What a person reads on a page, line by line."""
    parser = _Text()
    parser.feed(page)
    lines = (" ".join(line.split()) for line in parser.lines)
    return [line for line in lines if line]
