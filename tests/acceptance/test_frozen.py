"""Two frozen servers do not affect other targets' rounds or /metrics, and leak no thread,
descriptor or session, over 200 rounds of each healthy one and about 200 hung ones; after thawing,
all recover. (``benchmarks/hung.py`` has six ways to hang and thousands of rounds.)
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import psutil
import pytest

from probes import Target, registry
from tests.servers import mariadb, postgresql
from tests.support.agent import Agent, running, target_lines, write_config
from tests.support.wait import until

pytestmark = [pytest.mark.servers, pytest.mark.slow]

INTERVAL_SECONDS = DEADLINE_SECONDS = 0.15  # the longest deadline this interval may have
ROUNDS = 200
HEALTHY = ("pg-satu", "pg-dua", "pg-tiga", "maria-satu", "maria-dua")
FROZEN = ("beku-pg", "beku-maria")
ASKED = {"availability", "blocked_sessions"}
"""A kept session, a fresh login and a catalog question: each way to wait for a server."""

LATE_SECONDS = DEADLINE_SECONDS / 2
"""A round or a scrape that waited for a frozen server would be late by the whole deadline."""
SLOWER = 5
"""How many times as slow as before the frost is still called the machine's own noise."""


class Freezable(Protocol):
    def freeze(self) -> None: ...
    def thaw(self) -> None: ...


@dataclass(frozen=True)
class Stage:
    """The daemon and the servers it watches."""

    agent: Agent
    frozen: Sequence[Freezable]
    ports: frozenset[int]  # of those that will be frozen
    postgresql: postgresql.Server
    mariadb: mariadb.MariaDB


@dataclass
class Watched:
    """What was seen while looking at /metrics as fast as a hasty scraper would."""

    scrapes: list[float] = field(default_factory=list)  # seconds each
    readings: dict[str, dict[float, None]] = field(default_factory=dict)  # target -> when
    threads: list[int] = field(default_factory=list)
    descriptors: list[int] = field(default_factory=list)
    sockets: list[int] = field(default_factory=list)  # towards the servers that are frozen
    up: dict[str, float] = field(default_factory=dict)
    counts: list[dict[str, float]] = field(default_factory=list)  # readings so far, by target
    seconds: float = 0.0  # from the first to the last of the counts

    def lateness(self, target: str) -> list[float]:
        """Seconds by which each observed round began after its scheduled time.

        Rounds late by a whole interval show in ``kept_up`` instead.
        """
        first, *times = self.readings[target]
        half = INTERVAL_SECONDS / 2
        places = [(at - first + half) % INTERVAL_SECONDS - half for at in times]
        usual = statistics.median(places)
        return [(each - usual + half) % INTERVAL_SECONDS - half for each in places]

    def kept_up(self, target: str) -> float:
        """The share of the rounds due meanwhile that were taken."""
        due = self.seconds / INTERVAL_SECONDS
        return (self.counts[-1][target] - self.counts[0][target]) / due


def tuned(target: Target) -> str:
    """The target as agent.yaml writes it, asked only what this is about."""
    off = sorted({probe.name for probe in registry.probes_for(target.engine)} - ASKED)
    return target_lines(
        target, probes="{" + ", ".join(f"{n}: {{enabled: false}}" for n in off) + "}"
    )


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    grants = [
        grant.sql
        for grant in [
            *registry.engine("mysql").base_grants,
            *(grant for probe in registry.probes_for("mysql") for grant in probe.grants),
        ]
        if grant.flavour == "mariadb"
    ]
    with (
        postgresql.single() as pg,
        postgresql.single() as ice_pg,
        mariadb.servers(2) as (maria, ice_maria),
    ):
        for each in (maria, ice_maria):
            each.grant_monitor(list(dict.fromkeys(grants)))
        targets = [
            *(pg.target(name) for name in HEALTHY[:3]),
            *(maria.target(name=name) for name in HEALTHY[3:]),
            ice_pg.target(FROZEN[0]),
            ice_maria.target(name=FROZEN[1]),
        ]
        file = write_config(tmp_path, [tuned(target) for target in targets])
        text = file.read_text().replace("300ms, deadline: 300ms", "150ms, deadline: 150ms")
        file.write_text(text)
        with running(file) as agent:
            ports = frozenset({ice_pg.port, ice_maria.port})
            try:
                yield Stage(agent, (ice_pg, ice_maria), ports, ice_pg, ice_maria)
            finally:
                for server in (ice_pg, ice_maria):
                    server.thaw()


def values(page: str, family: str, probe: str = "") -> dict[str, float]:
    """Target to value of one family."""
    found = {}
    for line in page.splitlines():
        if line.startswith(family + "{") and (not probe or f'probe="{probe}"' in line):
            target = line.partition('target="')[2].partition('"')[0]
            found[target] = float(line.rpartition(" ")[2])
    return found


def watch(stage: Stage, rounds: int) -> Watched:
    """Look until every healthy target was read that often."""
    seen, process = Watched(), psutil.Process(stage.agent.process.pid)
    end = time.monotonic() + 4 * rounds * INTERVAL_SECONDS + 10
    pause, begun = INTERVAL_SECONDS / 4, time.perf_counter()
    while min((len(seen.readings.get(name, ())) for name in HEALTHY), default=0) < rounds:
        assert time.monotonic() < end, {name: len(at) for name, at in seen.readings.items()}
        started = time.perf_counter()
        status, page = stage.agent.get("/metrics")
        seen.scrapes.append(time.perf_counter() - started)
        assert status == 200
        read = values(page, "sigap_probe_last_reading_timestamp_seconds", "availability")
        for name, at in read.items():
            seen.readings.setdefault(name, {})[at] = None
        seen.up = values(page, "sigap_target_up")
        seen.counts.append(values(page, "sigap_probe_readings_total", "availability"))
        seen.seconds = started - begun
        if len(seen.scrapes) % 10 == 0:
            _measure(seen, process, stage.ports)
        time.sleep(pause)  # a scraper's own interval, not a wait for anything
    return seen


def _measure(seen: Watched, process: psutil.Process, ports: frozenset[int]) -> None:
    seen.threads.append(process.num_threads())
    seen.descriptors.append(process.num_fds())
    open_ = [c for c in process.net_connections("tcp") if c.raddr and c.raddr.port in ports]
    seen.sockets.append(len(open_))


def high(values: Sequence[float], share: float = 0.99) -> float:
    return sorted(values)[min(len(values) - 1, int(len(values) * share))]


def frozen_rounds(stage: Stage) -> dict[str, float]:
    page = stage.agent.get("/metrics")[1]
    read = values(page, "sigap_probe_readings_total", "availability")
    return {name: read[name] for name in FROZEN}


def all_up(stage: Stage) -> bool:
    up = values(stage.agent.get("/metrics")[1], "sigap_target_up")
    return all(up.get(name) == 1.0 for name in HEALTHY + FROZEN)


def server_sessions(stage: Stage) -> dict[str, int]:
    """Our sessions as the two servers count them."""
    pg = stage.postgresql.sql(
        "select count(*) from pg_stat_activity where application_name like 'sigap/%%'"
    )
    maria = stage.mariadb.sql(
        f"select count(*) as n from information_schema.PROCESSLIST where USER = '{mariadb.MONITOR}'"
    )
    return {FROZEN[0]: int(pg[0][0]), FROZEN[1]: int(maria[0]["n"])}


def test_two_frozen_servers_delay_nobody_leak_nothing_and_heal(stage: Stage) -> None:
    until("every target up", lambda: all_up(stage), 40)
    before = watch(stage, ROUNDS // 5)
    last_readings = dict(before.readings)

    for server in stage.frozen:
        server.freeze()
    until("both told as down", lambda: not any(_up(stage, name) for name in FROZEN))
    rounds_before = frozen_rounds(stage)
    during = watch(stage, ROUNDS)
    rounds_after = frozen_rounds(stage)

    _print(before, during, rounds_before, rounds_after)
    for name in HEALTHY:
        late, as_ever = during.lateness(name), before.lateness(name)
        assert during.kept_up(name) > 0.8 * before.kept_up(name), f"{name} missed its rounds"
        assert high(late, 0.95) < max(LATE_SECONDS, SLOWER * high(as_ever, 0.95)), name
    until("the others up", lambda: all(_up(stage, name) for name in HEALTHY))
    for name in FROZEN:
        assert during.up[name] == 0.0
        assert max(during.readings[name]) > max(last_readings[name]), "its age is not told"
    hung = sum(rounds_after.values()) - sum(rounds_before.values())
    assert hung >= ROUNDS / 2, f"only {hung:.0f} rounds met a frozen server"

    assert statistics.median(during.scrapes) < SLOWER * statistics.median(before.scrapes)
    assert high(during.scrapes) < max(LATE_SECONDS, SLOWER * high(before.scrapes))

    assert max(during.threads) <= max(before.threads) + 2
    assert max(during.descriptors) <= max(before.descriptors) + 4
    assert max(during.sockets) <= 2 * len(FROZEN), "more than a kept and a fresh session each"

    for server in stage.frozen:
        server.thaw()
    until("both up again", lambda: all_up(stage), 20)
    until(
        "no session left over from the frost",
        lambda: all(count <= 2 for count in server_sessions(stage).values()),
    )
    read = frozen_rounds(stage)
    until("both still up", lambda: all(frozen_rounds(stage)[n] >= read[n] + 3 for n in FROZEN))
    assert all_up(stage)


def _up(stage: Stage, name: str) -> float:
    return values(stage.agent.get("/metrics")[1], "sigap_target_up").get(name, 1.0)


def _print(
    before: Watched, during: Watched, first: dict[str, float], last: dict[str, float]
) -> None:
    """The figures, shown on failure or with -s."""
    for name, seen in (("before", before), ("frozen", during)):
        late = [each for target in HEALTHY for each in seen.lateness(target)]
        print(
            f"{name}: {len(late)} healthy rounds seen, "
            f"{100 * min(map(seen.kept_up, HEALTHY)):.0f} % of the due ones at least; lateness p95 "
            f"{high(late, 0.95) * 1000:.0f} ms, p99 "
            f"{high(late) * 1000:.0f} ms; {len(seen.scrapes)} scrapes p50 "
            f"{statistics.median(seen.scrapes) * 1000:.1f} ms, p99 {high(seen.scrapes) * 1000:.1f}"
            f" ms; threads {min(seen.threads)}-{max(seen.threads)}, descriptors "
            f"{min(seen.descriptors)}-{max(seen.descriptors)}, sockets {max(seen.sockets)}"
        )
    print({name: last[name] - first[name] for name in last}, "rounds of the frozen ones")
