"""A desk with five people, a monitored database with a fault, and the pages.

Everything is real (SQLite store, people, desk, application) but the clock, which is moved by hand,
and the probes, whose findings are passed in as the daemon would.
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from fastapi import FastAPI

from incidents.calendar import load as calendar
from incidents.desk import Desk
from incidents.documents.model import Office
from incidents.model import Assignment, Basis, Person
from incidents.people.accounts import People
from incidents.procedure import load as procedure
from incidents.store import Store, open_store
from incidents.web.app import create_app
from incidents.web.display.target_health import (
    FindingView,
    ProbeHealth,
    ProbeState,
    TargetHealth,
    Value,
)
from probes import Evidence, Exhibit, Finding, Severity
from tests.support.words import both

MONDAY = datetime(2026, 11, 23, 0, 5, tzinfo=UTC)  # 08.05 WITA
PASSWORD = "rahasia-uji-coba-7"

OFFICE = Office(
    address="Jalan Basuki Rahmat Nomor 41, Samarinda 75112",
    contacts="Telepon (0541) 000000, laman diskominfo.example",
    signer_name="Drs. H. Rahmat Hidayat, M.Si.",
    signer_rank="Pembina Tingkat I (IV/b)",
    signer_nip="19700101 199503 1 000",
    copies=("Kepala Dinas (sebagai laporan)", "Kepala Seksi Pengelolaan Data dan Integrasi SI"),
)

CAST = {
    "AJ": Person("andi", "Andi Saputra, S.Kom.", "19900101 201503 1 001", "Administrator Jaringan"),
    "PP": Person("putri", "Putri Maharani, S.T.", "19910202 201603 2 002", "Pranata Komputer"),
    "PW": Person(
        "wahyu", "Wahyu Nugroho, M.T.", "19820303 200803 1 003", "Kepala Seksi Pengelolaan Data"
    ),
    "PA": Person(
        "rahmat", "Drs. H. Rahmat Hidayat, M.Si.", "19700101 199503 1 000", "Kepala Bidang TIK"
    ),
    "KD": Person("siti", "Dr. Hj. Siti Aminah, M.M.", "19680505 199303 2 005", "Kepala Dinas"),
}


@dataclass
class HandClock:
    """A clock that the test moves."""

    now: datetime = MONDAY

    def __call__(self) -> datetime:
        return self.now

    def forward(self, **amount: float) -> None:
        self.now += timedelta(**amount)


@dataclass
class World:
    """One office for one test."""

    store: Store
    desk: Desk
    people: People
    clock: HandClock
    health: list[TargetHealth] = field(default_factory=list)

    def app(self, demo: bool = False) -> FastAPI:
        return create_app(
            self.desk, self.people, OFFICE, self._health, self.clock, demo, version="test"
        )

    def _health(self) -> Sequence[TargetHealth]:
        return tuple(self.health)

    def open_incident(self) -> str:
        """A probe finds the lock; the desk opens an incident."""
        return self.desk.report(lock_finding(self.clock.now), self.clock.now).number

    def heal(self) -> None:
        """The probe reports clear."""
        self.desk.report(lock_finding(self.clock.now, Severity.CLEAR), self.clock.now)


def build(folder: Path, seed: Path | None = None) -> World:
    """A fresh office in ``folder`` with one person a role.

    ``seed`` is a store that ``hire`` made: copying it spares migrating and hashing every time.
    """
    file = folder / "sigap.db"
    clock = HandClock()
    if seed is None:
        hire(file, clock.now)
    else:
        shutil.copyfile(seed, file)
    store = open_store(f"sqlite:///{file}")
    desk = Desk(store, procedure.load("kaltim"), calendar.load("kaltim"), OFFICE)
    world = World(store, desk, People(store), clock)
    world.health.extend(servers(clock.now))
    return world


def hire(file: Path, now: datetime) -> None:
    """Make a store with the five people in it and nothing else."""
    store = open_store(f"sqlite:///{file}")
    engage(People(store), now)
    store.close()


def engage(people: People, now: datetime) -> None:
    """Give the five an account and their role."""
    for role, person in CAST.items():
        people.add(person, PASSWORD, now)
        letter = Assignment(person.username, role, Basis.DEFINITIVE, "800/012/2026")
        people.assign(letter, now)


def lock_finding(at: datetime, severity: Severity = Severity.CRITICAL) -> Finding:
    """A finding of the blocked-sessions probe."""
    return Finding(
        target="simpeg-primary",
        probe="blocked_sessions",
        measure="blocked_seconds",
        subject="",
        severity=severity,
        title=both(
            "Sesi 4711 (app_simpeg) menahan 12 sesi lain selama 95 detik di simpeg-primary",
            "Session 4711 (app_simpeg) has been blocking 12 others for 95 s on simpeg-primary",
        ),
        hint=both(
            "Hubungi pemilik aplikasi, lalu akhiri sesi 4711 dengan pg_terminate_backend(4711).",
            "Call the owner of the application, then end it with pg_terminate_backend(4711).",
        ),
        family="locks",
        at=at,
        since=at,
        value=95.0,
        limit=30.0,
        unit="seconds",
        opens=severity is Severity.CRITICAL,
        about={
            "engine": "postgresql",
            "cluster": "simpeg",
            "role": "primary",
            "application": "SIMPEG",
            "agency": "BKD Provinsi Kalimantan Timur",
        },
        evidence=Evidence(
            at,
            (
                Exhibit(
                    both("Pohon sesi yang saling menunggu", "Who blocks whom"),
                    ("pid", "blocked by", "user", "wait", "seconds", "statement"),
                    (
                        ("4711", "", "app_simpeg", "Client", "301", "UPDATE pegawai SET … = $1"),
                        ("4720", "4711", "app_simpeg", "Lock", "95", "SELECT … FOR UPDATE"),
                        ("4725", "4720", "app_portal", "Lock", "61", "UPDATE pegawai SET … = $1"),
                    ),
                    both(
                        "dipotong menjadi 3 dari 13 yang menunggu", "truncated to 3 of 13 waiters"
                    ),
                ),
            ),
        )
        if severity is Severity.CRITICAL
        else None,
    )


def servers(now: datetime) -> list[TargetHealth]:
    """One target with a fault, one blind, one healthy."""
    seen = now - timedelta(seconds=7)
    up = ProbeHealth(
        "availability",
        both("Dapatkah server dipakai?", "Can the server be used?"),
        ProbeState.OK,
        seen,
        0.012,
        (Value("up", 1), Value("login_seconds", 0.0312, "seconds")),
    )
    return [
        TargetHealth(
            "simpeg-primary",
            "postgresql",
            "postgresql",
            "15.18",
            "10.0.0.11:5432",
            "simpeg",
            "primary",
            "SIMPEG",
            "BKD Provinsi Kalimantan Timur",
            True,
            probes=(
                up,
                ProbeHealth(
                    "blocked_sessions",
                    both("Adakah sesi yang menahan sesi lain?", "Does a session block others?"),
                    ProbeState.CRITICAL,
                    seen,
                    0.02,
                    (Value("blocked_seconds", 95.4, "seconds"), Value("blocked_sessions", 12)),
                    findings=(
                        FindingView(
                            Severity.CRITICAL,
                            both("Sesi 4711 menahan 12 sesi", "Session 4711 blocks 12 sessions"),
                            both("Akhiri sesi 4711.", "End session 4711."),
                            now - timedelta(minutes=2),
                        ),
                    ),
                ),
            ),
        ),
        TargetHealth(
            "esurat-replica",
            "mysql",
            "mariadb",
            "10.11.19",
            "10.0.0.21:3306",
            "esurat",
            "replica",
            "e-Surat",
            "Biro Umum",
            True,
            probes=(
                up,
                ProbeHealth(
                    "replication_lag",
                    both("Seberapa tertinggal replikanya?", "How far behind is the replica?"),
                    ProbeState.BLIND,
                    seen,
                    message="Access denied; you need (at least one of) the SLAVE MONITOR privilege",
                    hint=both(
                        "GRANT SLAVE MONITOR ON *.* TO 'sigap'@'localhost';",
                        "GRANT SLAVE MONITOR ON *.* TO 'sigap'@'localhost';",
                    ),
                ),
            ),
        ),
        TargetHealth(
            "arsip",
            "postgresql",
            "postgresql",
            "15.18",
            "10.0.0.31:5432",
            application="Arsip Digital",
            up=True,
            probes=(
                up,
                ProbeHealth(
                    "volumes",
                    both("Berapa ruang yang tersisa?", "How much room is left?"),
                    ProbeState.OK,
                    seen,
                    0.003,
                    (Value("volume_free_bytes", 53_901_234_567, "bytes", "data"),),
                ),
            ),
        ),
    ]
