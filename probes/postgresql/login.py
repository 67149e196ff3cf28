"""Can somebody log in now?

Only the pair of a kept session (``availability``) and a fresh login tells "logins are broken,
existing sessions work" (slots full, pg_hba changed, authentication backend down) from "all dead".
A login is the dearest of all questions (the server forks and starts up a process for it), so it is
asked once a minute, and at every interval while there is any doubt.
"""

from __future__ import annotations

import time
from collections.abc import Iterable

from probes import deadline
from probes.model import Measure, Measurement, Probe, ProbeError, Session, Text, Threshold
from probes.units import duration

_ROLE = "select pg_is_in_recovery()"

_SHARE_OF_THE_LOGIN = 0.8
"""Of the time left, so that after a login that hangs the kept session can still be asked."""

# What a finding says that is not cleared yet, since it takes more than one good reading.
_AGAIN = Text("login baru sudah berhasil lagi", "a new login works again")
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


def read(session: Session) -> Iterable[Measurement]:
    """One login, timed by phase; a refused one is a value while the kept session answers.

    When the kept session does not answer either, all is dead: that is a failed reading, and no
    word about logins.
    """
    try:
        with (
            deadline.within(deadline.remaining() * _SHARE_OF_THE_LOGIN),
            session.fresh() as fresh,
        ):
            phases = dict(fresh.phases)
            started = time.perf_counter()
            fresh.rows(_ROLE)
            phases["role"] = time.perf_counter() - started
    except ProbeError as error:
        session.rows(_ROLE)
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
    name="login",
    engine="postgresql",
    question=Text(
        "Apakah login baru berhasil, dan cukup cepat?", "Does a new login work, in time?"
    ),
    measures=(
        Measure("fresh_login_ok", "", "1 when a new login succeeds."),
        Measure("login_seconds", "seconds", "Resolving, logging in and the first answer."),
        Measure("login_phase_seconds", "seconds", "The steps of that login, each.", "phase"),
    ),
    thresholds=(
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
    ),
    read=read,
    every=60.0,
    sooner_in_doubt=True,
    runbook=Text(
        "1. Jumlah koneksi dan max_connections. 2. pg_hba.conf: siapa mengubahnya, kapan dimuat "
        "ulang. 3. Akun pemantau: sandi, masa berlaku, NOLOGIN. 4. Server autentikasi (LDAP, "
        "PAM), DNS, dan sertifikat. 5. Beban CPU: login membuat proses baru.",
        "1. The number of connections and max_connections. 2. pg_hba.conf: who changed it, when "
        "it was reloaded. 3. The monitoring account: password, expiry, NOLOGIN. 4. The "
        "authentication server (LDAP, PAM), DNS and certificates. 5. CPU load: a login starts a "
        "process.",
    ),
)
