"""SIGKILL at any moment loses no acknowledged change and repeats none.

A child reports findings and signs steps, and tells its parent each ledger head it was given; it is
killed at a random moment, two hundred times on the same store.
"""

from __future__ import annotations

import os
import random
import select
import signal
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from sqlalchemy import select as query

from incidents.ledger import chain as ledger
from incidents.ledger.verify import verify
from incidents.model import EventKind
from incidents.records import summaries as records
from incidents.store import Store, open_store, tables
from probes import Severity
from tests.incidents.conftest import BOTH, new_database
from tests.incidents.office_of_five import MONDAY, desk_on, finding, sign_step

KILLS = 200
FAULTS = 5


def work(url: str, seed: int, pipe: int) -> None:
    """The child: act for ever, acknowledging each change after the desk returned."""
    chance = random.Random(seed)
    desk = desk_on(open_store(url))
    while True:
        name = f"server-{chance.randrange(FAULTS)}"
        if chance.random() < 0.5:
            severity = chance.choice([Severity.CLEAR, Severity.WARNING, Severity.CRITICAL])
            desk.report(finding(severity, target=name, cluster=name), MONDAY)
        else:
            for row in desk.queries.search("open", limit=1).rows:
                sign_step(desk, row.number, MONDAY)
        head = desk.queries.ledger_head()
        os.write(pipe, f"{head.sequence} {head.hash}\n".encode())


@contextmanager
def child_at_work(url: str, seed: int) -> Iterator[tuple[int, int]]:
    """A child of fork, since starting two hundred interpreters is not what is tested."""
    read, write = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            os.close(read)
            work(url, seed, write)
        finally:
            os._exit(1)  # it only gets here by an error: a killed child does not
    os.close(write)
    try:
        yield pid, read
    finally:
        os.close(read)


def acknowledged_until_killed(url: str, chance: random.Random, seed: int) -> set[tuple[int, str]]:
    """Let a child work, kill it somewhere after a few acknowledgements, and take them all."""
    said = b""
    with child_at_work(url, seed) as (pid, pipe):
        wanted = chance.randrange(1, 5)
        while said.count(b"\n") < wanted:
            part = os.read(pipe, 65536)
            assert part, f"the child of seed {seed} failed instead of being killed"
            said += part
        # somewhere inside the next change: the moment is meant to be arbitrary
        select.select([pipe], [], [], chance.random() * 0.02)
        os.kill(pid, signal.SIGKILL)
        _, status = os.waitpid(pid, 0)
        assert os.WIFSIGNALED(status), f"the child of seed {seed} failed on its own"
        while part := os.read(pipe, 65536):
            said += part
    whole = said[: said.rfind(b"\n") + 1].decode().split("\n")[:-1]
    return {(int(line.split()[0]), line.split()[1]) for line in whole}


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("kind", BOTH)
def test_two_hundred_kills_lose_nothing_acknowledged_and_double_nothing(
    kind: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    if kind == "sqlite":
        url = f"sqlite:///{tmp_path / 'sigap.db'}"
    else:
        url = new_database(request.getfixturevalue("store_server"), "template1")
    store = open_store(url)
    desk_on(store)  # hires the five people
    store.close()
    chance = random.Random(20260706)
    acknowledged: set[tuple[int, str]] = set()
    for turn in range(KILLS):
        acknowledged |= acknowledged_until_killed(url, chance, seed=turn)
        if turn % 40 == 0:
            check(url, acknowledged)
    check(url, acknowledged)
    assert len(acknowledged) > KILLS


def check(url: str, acknowledged: set[tuple[int, str]]) -> None:
    store = open_store(url)
    verdict = verify(store)
    assert verdict.problem is None, verdict.problem
    with store.read() as connection:
        kept = {
            (row.sequence, row.hash)
            for row in connection.execute(query(tables.events.c.sequence, tables.events.c.hash))
        }
    assert acknowledged - kept - {(0, ledger.GENESIS)} == set()
    check_nothing_doubled(store)
    store.close()


def check_nothing_doubled(store: Store) -> None:
    desk = desk_on(store)
    numbers: list[str] = []
    after: int | None = None
    while True:
        page = desk.queries.search("all", after=after, limit=200)
        numbers += [row.number for row in page.rows]
        after = page.after
        if after is None:
            break
    assert sorted(numbers) == [f"GDB-2026-{n:04d}" for n in range(1, len(numbers) + 1)]
    holders: Counter[str] = Counter()
    for number in numbers:
        incident = desk.queries.incident(number)
        signed = [e for e in desk.queries.events(number) if e.kind is EventKind.SIGNED]
        visits = [(v.step, v.attempt) for v in incident.visits if v.signoff]
        assert len(set(visits)) == len(visits) == len(signed) == len(desk.queries.documents(number))
        assert desk.queries.row(number).version == incident.version
        if incident.open:
            holders.update(trouble.fingerprint for trouble in incident.troubles)
    assert all(count == 1 for count in holders.values())
    with store.read() as connection:
        for fingerprint in holders:
            assert records.history(connection, fingerprint)[0] is not None
