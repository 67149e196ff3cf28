"""Can the server be used: by sessions that are already in, and by one that logs in now?

Only the pair tells "logins are broken, existing sessions work" (slots full, pg_hba changed,
authentication backend down) from "all dead". When the kept session itself cannot ask, the
reading fails and ``up`` counts as 0.
"""

from __future__ import annotations

import time
from collections.abc import Iterable

from probes import deadline
from probes.model import Measure, Measurement, Probe, ProbeError, Session, Text, Threshold
from probes.units import duration

_SHARE_OF_THE_LOGIN = 0.8
"""Of the time left, so that a login that hangs still leaves time to report the rest."""

# What a finding says that is not cleared yet, since it takes more than one good reading.
_AGAIN = Text("sudah menjawab lagi", "it answers again")
_WAIT = Text(
    "Login sudah berhasil lagi; tunggu pembacaan berikut.",
    "Logging in works again; wait for the next reading.",
)

_PHASES = {
    "resolve": Text("mencari alamat (DNS)", "resolving the name (DNS)"),
    "connect": Text("menyambung (jaringan)", "connecting (network)"),
    "tls": Text("jabat tangan TLS", "the TLS handshake"),
    "login": Text("autentikasi", "authentication"),
    "first_answer": Text("jawaban pertama", "the first answer"),
    "role": Text("pertanyaan peran", "the question for its role"),
}

_STATE = """
select pg_is_in_recovery() as in_recovery,
       extract(epoch from pg_postmaster_start_time())::float8 as started,
       (select reset_val from pg_settings where name = 'default_transaction_read_only') = 'on'
         as defaults_to_read_only
"""


def read(session: Session) -> Iterable[Measurement]:
    """Ask the kept session, then log in anew; a refused login is a value, not a failure."""
    state = session.rows(_STATE)[0]
    replica = bool(state["in_recovery"])
    actual = "replica" if replica else "primary"
    yield Measurement("up", 1.0, detail={"reason": _AGAIN})
    yield Measurement("in_recovery", float(replica), detail={"role": actual})
    yield Measurement("read_only", float(not replica and bool(state["defaults_to_read_only"])))
    yield Measurement("start_time_seconds", float(state["started"]))
    expected = session.target.role
    if expected:
        yield Measurement(
            "role_as_expected",
            float(expected == actual),
            detail={"expected": expected, "actual": actual},
        )
    yield from _fresh_login(session)


def _fresh_login(session: Session) -> Iterable[Measurement]:
    try:
        with (
            deadline.within(deadline.remaining() * _SHARE_OF_THE_LOGIN),
            session.fresh() as fresh,
        ):
            phases = dict(fresh.phases)
            started = time.perf_counter()
            fresh.rows("select pg_is_in_recovery()")
            phases["role"] = time.perf_counter() - started
    except ProbeError as error:
        said = error.failure
        reason = {"reason": said.message, "kind": said.kind.value, "next": said.hint}
        yield Measurement("fresh_login_ok", 0.0, detail=reason)
        return
    yield Measurement("fresh_login_ok", 1.0, detail={"reason": _AGAIN, "next": _WAIT})
    slowest = max(phases, key=lambda phase: phases[phase])
    detail = {"phase": _PHASES[slowest], "took": duration(phases[slowest])}
    yield Measurement("login_seconds", sum(phases.values()), detail=detail)
    for phase, seconds in phases.items():
        yield Measurement("login_phase_seconds", seconds, phase)


PROBE = Probe(
    name="availability",
    engine="postgresql",
    question=Text(
        "Apakah server dapat dipakai, oleh sesi lama dan oleh login baru?",
        "Can the server be used, by existing sessions and by a new login?",
    ),
    measures=(
        Measure("up", "", "1 when a session that is already open gets an answer."),
        Measure("fresh_login_ok", "", "1 when a new login succeeds."),
        Measure("login_seconds", "seconds", "Resolving, logging in and the first answer."),
        Measure("login_phase_seconds", "seconds", "The steps of that login, each.", "phase"),
        Measure("in_recovery", "", "1 on a replica, 0 on a primary."),
        Measure(
            "read_only", "", "1 when new sessions start read only although this is no replica."
        ),
        Measure("role_as_expected", "", "1 when the role is the configured one."),
        Measure("start_time_seconds", "seconds", "When the server started, Unix time."),
    ),
    thresholds=(
        Threshold(
            "up",
            Text("{target} tidak dapat dipakai: {reason}", "{target} cannot be used: {reason}"),
            Text(
                "Periksa layanan dan baris akhir log server; bila prosesnya ada tetapi diam, "
                "periksa statusnya (T atau D), penyimpanan, dan jaringan.",
                "Check the service and the last lines of the server log; if its process is there "
                "but silent, check its state (T or D), the storage and the network.",
            ),
            "availability",
            critical=0.0,
            above=False,
            raise_after=2,
        ),
        Threshold(
            "fresh_login_ok",
            Text(
                "Login baru ke {target} gagal, sesi lama masih berjalan: {reason}",
                "New logins to {target} fail while existing sessions work: {reason}",
            ),
            Text("{next}", "{next}"),
            "availability",
            critical=0.0,
            above=False,
            raise_after=2,
        ),
        Threshold(
            "login_seconds",
            Text(
                "Login ke {target} lambat: {value} (batas {limit}), terlama {phase} {took}",
                "Logging in to {target} is slow: {value} (limit {limit}), most of it "
                "{phase} {took}",
            ),
            Text(
                "Biasanya DNS, server autentikasi (LDAP), atau CPU yang penuh: lihat fase login.",
                "Usually DNS, an authentication server (LDAP) or a saturated CPU: see the "
                "phases of the login.",
            ),
            "availability",
            warning=1.0,
            raise_after=3,
        ),
        Threshold(
            "role_as_expected",
            Text(
                "{target} seharusnya {expected}, ternyata {actual}",
                "{target} should be a {expected} but is a {actual}",
            ),
            Text(
                "Pastikan hanya ada satu primer dalam klaster dan aplikasi menulis ke sana; "
                "bila perpindahan ini disengaja, ubah role target di konfigurasi.",
                "Make sure the cluster has exactly one primary and applications write to it; if "
                "this switch was intended, change the target's role in the configuration.",
            ),
            "role",
            critical=0.0,
            above=False,
            raise_after=2,
        ),
        Threshold(
            "read_only",
            Text(
                "{target} menolak penulisan: transaksi baru hanya-baca",
                "{target} refuses writes: new transactions start read only",
            ),
            Text(
                "Cari default_transaction_read_only (ALTER SYSTEM, ALTER DATABASE, ALTER ROLE) "
                "dan siapa yang memasangnya.",
                "Find default_transaction_read_only (ALTER SYSTEM, ALTER DATABASE, ALTER ROLE) "
                "and who set it.",
            ),
            "role",
            critical=1.0,
            raise_after=2,
        ),
    ),
    read=read,
    runbook=Text(
        "1. Apakah proses postgres ada, dan statusnya bukan T atau D? 2. Baris akhir log server. "
        "3. Ruang pada volume data dan WAL. 4. pg_hba.conf dan jumlah koneksi. 5. Jaringan.",
        "1. Is there a postgres process, and not in state T or D? 2. Last lines of the server "
        "log. 3. Room on the data and WAL volumes. 4. pg_hba.conf and the number of connections. "
        "5. The network.",
    ),
    judged_on_failure="up",
)
