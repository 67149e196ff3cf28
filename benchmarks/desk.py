"""Benchmark of the desk: ledger writes, findings, the inbox over many incidents, verification.

Every write is durable when it returns (SQLite synchronous=FULL; PostgreSQL with fsync on). The
disk's own sync rate, which limits it, is measured beside it.
"""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

from benchmarks import offices, report
from benchmarks.measure import median, percentile
from benchmarks.size import Size
from incidents.desk import Desk
from incidents.ledger import chain as ledger
from incidents.ledger.chain import Draft
from incidents.ledger.verify import verify
from incidents.model import SYSTEM, EventKind, Signer
from incidents.people.accounts import People
from incidents.store import Store
from probes import Severity
from tests.servers import postgresql

ABOUT = "ledger events/s, the inbox over many incidents, verifying"
EVENTS_GOAL = 1000.0
INBOX_GOAL_MS = 100.0
OPEN = (50, 500)
"""Open incidents: a bad week, and more than any office has hands for."""
_DURABLE = {"fsync": "on", "full_page_writes": "on"}


def run(size: Size) -> Iterator[str]:
    """One table for writing, one for reading."""
    count = size.of(10_000, 10_000, 1_000_000)
    writes: list[list[report.Cell]] = []
    reads: list[list[report.Cell]] = []
    with tempfile.TemporaryDirectory(prefix="sigap-bench-") as folder:
        syncs = _syncs_per_second(Path(folder) / "sync")
        for still_open in OPEN:
            inside = Path(folder) / str(still_open)
            inside.mkdir()
            _measure("SQLite", offices.sqlite(inside), (count, still_open), size, writes, reads)
    with postgresql.single(_DURABLE) as server:
        server.sql("create database meja")
        address = f"postgresql+psycopg2:///meja?host={server.folder}&port={server.port}"
        url = f"{address}&user={postgresql.SUPERUSER}"
        _measure("PostgreSQL", url, (count, OPEN[-1]), size, writes, reads)
    head: tuple[str, ...] = (
        "store", "of the disk's syncs", "one event a transaction, events/s",
        "50 a transaction, events/s",
        "finding opens an incident, per s", "nothing new to tell, per s",
    )  # fmt: skip
    rows = [[row[0], report.times(float(row[1]), syncs), *row[1:]] for row in writes]
    yield report.table(head, rows)
    best = [float(row[1]) for row in writes]
    yield (
        f"This disk syncs {syncs:,.0f} times a second. Goal, 1,000 events/s into the ledger: "
        + ", ".join(
            f"{row[0]} {report.goal(each >= EVENTS_GOAL)} one by one, "
            f"{report.goal(float(row[2]) >= EVENTS_GOAL)} by fifties"
            for row, each in zip(writes, best, strict=True)
        )
        + ".\n"
    )
    head = (
        "store", "incidents", "open", "inbox p50 ms", "inbox p99 ms", "page of the inbox p50 ms",
        "p99 ms", "verify events/s",
    )  # fmt: skip
    yield report.table(head, reads)
    goals = (
        f"{row[0]} with {row[2]} open: p99 of the desk {report.goal(float(row[4]) < INBOX_GOAL_MS)}"
        f", of the whole page {report.goal(float(row[6]) < INBOX_GOAL_MS)}"
        for row in reads
    )
    yield f"Goal, inbox under 100 ms (of a million with `--large`): {'; '.join(goals)}.\n"


def _measure(
    name: str,
    url: str,
    incidents: tuple[int, int],
    size: Size,
    writes: list[list[report.Cell]],
    reads: list[list[report.Cell]],
) -> None:
    store, desk, people = offices.opened(url)
    seconds = size.of(0.5, 2.0, 8.0)
    signer = offices.member(people)
    count, still_open = incidents
    offices.fill(store, desk, count, still_open)
    times = size.of(5, 60, 200)
    inbox = _timed(lambda: _inbox(desk, signer, still_open), times)
    page = _timed(_page(desk, people), times)
    started = time.perf_counter()
    verdict = verify(store)
    rate = verdict.events / (time.perf_counter() - started)
    if verdict.problem is not None:
        raise RuntimeError(f"the store that was made does not verify: {verdict.problem.en}")
    reads.append(
        [
            name, count, still_open,
            median(inbox), percentile(inbox, 0.99), median(page), percentile(page, 0.99), rate,
        ]
    )  # fmt: skip
    writes.append([f"{name}, {still_open} open", *_writing(store, desk, seconds)])
    store.close()


def _inbox(desk: Desk, signer: Signer, still_open: int) -> None:
    found = desk.queries.inbox(signer, datetime.now(UTC))
    if len(found.mine) + len(found.late) + len(found.others) != still_open:
        raise RuntimeError("the inbox does not show every open incident")


def _page(desk: Desk, people: People) -> Callable[[], None]:
    """The whole page, as a browser gets it."""
    from fastapi.testclient import TestClient  # the desk's libraries, only where there is a desk

    from incidents.documents.model import Office
    from incidents.web.app import create_app

    app = create_app(
        desk, people, Office(), lambda: (), lambda: datetime.now(UTC), False, version="bench"
    )
    client = TestClient(app, base_url="https://testserver")
    data = {"username": "putri", "password": offices.PASSWORD, "next": "/"}
    client.post("/signin", data=data)

    def get() -> None:
        answer = client.get("/")
        if answer.status_code != 200 or "db0" not in answer.text:
            raise RuntimeError(f"the inbox page answered {answer.status_code} without incidents")

    return get


def _timed(call: Callable[[], None], times: int) -> list[float]:
    """Milliseconds of each call, after one that warms up."""
    call()
    taken = []
    for _ in range(times):
        started = time.perf_counter()
        call()
        taken.append((time.perf_counter() - started) * 1000)
    return taken


def _writing(store: Store, desk: Desk, seconds: float) -> list[float]:
    now = datetime.now(UTC)
    payload = {"text": "catatan " * 40}  # about what an observed finding weighs

    def append(count: int) -> None:
        drafts = [Draft("GDB-2025-UKUR", EventKind.NOTED, now, SYSTEM, payload)] * count
        with store.write() as connection:
            ledger.append(connection, drafts)

    one = _rate(lambda: append(1), seconds)
    fifty = 50 * _rate(lambda: append(50), seconds)
    numbers = iter(range(5_000_000, 9_000_000))
    opening = _rate(lambda: _told(desk, next(numbers), now), seconds)
    clear = offices.finding(5_000_000 - 1, now, Severity.CLEAR)
    nothing = _rate(lambda: desk.report(clear, now), seconds)
    return [one, fifty, opening, nothing]


def _told(desk: Desk, number: int, now: datetime) -> None:
    desk.report(offices.finding(number, now), now)


def _rate(call: Callable[[], object], seconds: float) -> float:
    """Calls per second."""
    call()
    count, started = 0, time.perf_counter()
    while (spent := time.perf_counter() - started) < seconds:
        call()
        count += 1
    return count / spent


def _syncs_per_second(file: Path) -> float:
    descriptor = os.open(file, os.O_WRONLY | os.O_CREAT, 0o600)

    def sync() -> None:
        os.pwrite(descriptor, b"x" * 512, 0)
        os.fdatasync(descriptor)

    try:
        return _rate(sync, 1.0)
    finally:
        os.close(descriptor)
