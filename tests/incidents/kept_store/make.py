"""Writes the kept store with the code it is run on: ``python -m tests.incidents.kept_store.make``.

The store in this folder was written at 463d6a8. Five incidents: one through both loops to its
letter, one dismissed, one in the loop of step 7, one signed by a Plh. under a dispensation with an
unnumbered letter, one reported by an agency and late.
"""

from __future__ import annotations

import gzip
import json
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from incidents.desk import Desk
from incidents.model import Assignment, Basis, Decision, Outcome, Signer
from incidents.workflow.actions import AddNote, Claim, Dismiss, Dispense, Sign
from probes import Finding, Severity
from tests.incidents.kept_store.reading import PAGES, STORE, pages
from tests.incidents.web import world as office
from tests.support.words import both

ROLE = {1: "PP", 2: "PA", 3: "PW", 4: "PP", 5: "AJ", 6: "PP", 7: "PW", 8: "PA", 9: "PP"}
ANSWERS: Mapping[int, Mapping[str, Any]] = {
    1: {
        "title": "SIMPEG terkunci",
        "source": "probe",
        "reporter": "Ibu Ratna, BKD",
        "reported_at": "2026-11-23T08:05:00+08:00",
        "application": "SIMPEG",
        "agency": "BKD Provinsi Kalimantan Timur",
        "target": "simpeg-primary",
        "description": "Sesi 4711 menahan 12 sesi lain.",
        "impact": "Pegawai tidak dapat menyimpan data kepegawaian.",
    },
    2: {
        "check": "Laporan benar, layanan terganggu.",
        "urgency": "segera",
        "breach": True,
        "breach_detail": "Ada akun yang tidak dikenal.",
        "disposition": "Mohon diselesaikan hari ini juga.",
    },
    3: {"direction": "Akhiri sesi yang menahan kunci.", "precautions": "Buat cadangan dahulu."},
    4: {
        "participants": ["andi"],
        "cause": "Transaksi laporan bulanan tidak ditutup oleh aplikasi.",
        "action": "Sesi 4711 diakhiri setelah disetujui pemilik aplikasi.",
        "change": "tidak ada",
        "backup": False,
        "backup_reason": "Tidak ada data yang diubah.",
        "repaired_at": "2026-11-23T09:00:00+08:00",
    },
    5: {"condition": "Tidak ada sesi yang menunggu.", "evidence": "Pulih.", "recovered": True},
    6: {"statement": "Hasil pemeriksaan terlampir, mohon arahan."},
    7: {"verification": "Aplikasi dicoba dan berjalan normal."},
    8: {"check": "Lengkap dan benar."},
    9: {
        "letter_number": "500.12/0421/TIK/2026",
        "urgency": "segera",
        "recipient": "Kepala Badan Kepegawaian Daerah",
        "summary": "Layanan SIMPEG telah pulih.\nSilakan dipakai kembali.",
        "advice": "Batasi lama transaksi pada laporan bulanan.",
        "copies": "Sekretaris Daerah\nKepala BKD",
    },
}
RETURNED: Mapping[int, Mapping[str, Any]] = {
    7: {
        "return_class": "evidence",
        "return_reason": "Lampirkan bukti setelah jam sibuk.",
        "further_repair": True,
    },
    8: {"return_class": "unclear", "return_reason": "Sebutkan jam pulihnya layanan."},
}
STILL_RED = "Sisa temuan sudah dijadwalkan untuk diperbaiki malam ini."


@dataclass
class Hand:
    """Signs for the office, seven minutes apart."""

    world: office.World

    def forward(self, minutes: float = 7) -> datetime:
        self.world.clock.forward(minutes=minutes)
        return self.world.clock.now

    @property
    def desk(self) -> Desk:
        return self.world.desk

    def signer(self, role: str) -> Signer:
        username = office.CAST[role].username
        found = self.world.people.signer(username, self.world.clock.now.date())
        assert found is not None
        return found

    def sign(self, number: str, decision: Decision = Decision.APPROVE, by: str = "") -> None:
        """The waiting step, by the person of its role or by that of ``by``."""
        incident = self.desk.queries.incident(number)
        step = incident.step
        form = dict(ANSWERS[step] if decision is Decision.APPROVE else RETURNED[step])
        if step == 7 and decision is Decision.APPROVE and incident.red:
            form["red_reason"] = STILL_RED
        action = Sign(step, decision, form, incident.version)
        self.desk.sign(number, action, self.signer(by or ROLE[step]), self.forward())

    def sign_until(self, number: str, step: int) -> None:
        while (
            self.desk.queries.incident(number).open
            and self.desk.queries.incident(number).step != step
        ):
            self.sign(number)


def tell(hand: Hand) -> None:
    """All five incidents."""
    _both_loops(hand)
    _dismissed(hand)
    _in_the_loop(hand)
    _by_dispensation(hand)
    _late(hand)


def _both_loops(hand: Hand) -> None:
    number = hand.world.open_incident()
    hand.sign_until(number, 4)
    incident = hand.desk.queries.incident(number)
    putri = hand.signer("PP")
    hand.desk.claim(number, Claim(incident.version), putri, hand.forward())
    hand.desk.note(number, AddNote("Menunggu persetujuan pemilik aplikasi."), putri, hand.forward())
    hand.world.heal()
    hand.sign_until(number, 7)
    hand.sign(number, Decision.RETURN)
    hand.sign_until(number, 8)
    hand.sign(number, Decision.RETURN)
    hand.sign_until(number, 0)


def _dismissed(hand: Hand) -> None:
    number = report(hand, "esurat-replica", "lag_seconds", "replication")
    hand.sign_until(number, 2)
    version = hand.desk.queries.incident(number).version
    why = "Pemeliharaan terjadwal yang sudah diumumkan."
    action = Dismiss(Outcome.NOT_A_DISRUPTION, why, version)
    hand.desk.dismiss(number, action, hand.signer("PA"), hand.forward())


def _in_the_loop(hand: Hand) -> None:
    number = report(hand, "arsip", "volume_free_bytes", "space")
    hand.sign_until(number, 7)
    hand.sign(number, Decision.RETURN)


def _by_dispensation(hand: Hand) -> None:
    now = hand.forward()
    deputy = Assignment("putri", "PW", Basis.PLH, "800/099/2026", now.date(), now.date())
    hand.world.people.assign(deputy, now)
    number = report(hand, "absensi", "connections_used", "connections")
    hand.sign_until(number, 7)
    version = hand.desk.queries.incident(number).version
    granted = Dispense(7, "putri", "Kepala Seksi sedang dinas luar.", version)
    hand.desk.dispense(number, granted, hand.signer("KD"), hand.forward())
    hand.sign(number, by="PP")
    hand.sign(number)
    bare = {**ANSWERS[9], "letter_number": "", "copies": "", "advice": ""}
    action = Sign(
        9,
        Decision.APPROVE,
        {name: value for name, value in bare.items() if value},
        hand.desk.queries.incident(number).version,
    )
    hand.desk.sign(number, action, hand.signer("PP"), hand.forward())


def _late(hand: Hand) -> None:
    form = {
        "title": "Portal tidak dapat dibuka",
        "description": "Halaman masuk berputar terus.",
        "application": "Portal",
        "agency": "Dinas Sosial",
        "reporter": "Bapak Yusuf",
        "contact": "0541-000001",
        "occurred_at": "2026-11-23T10:30:00+08:00",
        "severity": "warning",
    }
    number = hand.desk.report_manually(form, None, hand.forward(), "agency").number
    hand.sign(number)
    hand.desk.sweep(hand.forward(minutes=24 * 60))


def report(hand: Hand, target: str, measure: str, family: str) -> str:
    """A probe's critical finding with evidence, opening an incident."""
    now = hand.forward()
    lock = office.lock_finding(now)
    finding: Finding = replace(
        lock,
        target=target,
        measure=measure,
        family=family,
        title=both(f"{target}: {measure} di luar batas", f"{target}: {measure} out of bounds"),
        headline=both(f"{target}: {measure}", f"{target}: {measure}"),
        severity=Severity.CRITICAL,
        about={**lock.about, "cluster": target, "application": target.title()},
        since=now - timedelta(minutes=1),
    )
    return hand.desk.report(finding, now).number


def main() -> None:
    """Write the store and the text of its pages into this folder."""
    with tempfile.TemporaryDirectory() as folder:
        world = office.build(Path(folder))
        tell(Hand(world))
        world.store.close()
        kept = (Path(folder) / "sigap.db").read_bytes()
        STORE.write_bytes(gzip.compress(kept, 9, mtime=0))
        (Path(folder) / "again").mkdir()
        again = office.build(Path(folder) / "again", Path(folder) / "sigap.db")
        PAGES.write_text(json.dumps(pages(again.store), ensure_ascii=False, indent=1) + "\n")
        again.store.close()


if __name__ == "__main__":
    main()
