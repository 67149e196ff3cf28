"""Can somebody log in now?

Only the pair of a kept session (``availability``) and a fresh login tells "existing sessions fine,
logins broken" (slots full, account locked, listener stuck) from "all dead". Asked once a minute,
for a login computes and is written into the server's log of connections, and at every interval
while there is any doubt.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping

from probes import deadline
from probes.model import Measure, Measurement, Probe, ProbeError, Session, Text, Threshold

_SHARE_OF_THE_LOGIN = 0.8
"""Of the time left, so that after a login that hangs the kept session can still be asked."""

_PHASES: Mapping[str, Text] = {
    "resolve": Text("mencari alamat", "resolving the name"),
    "connect": Text("menyambung TCP", "connecting by TCP"),
    "tls": Text("jabat tangan TLS", "the TLS handshake"),
    "login": Text("otentikasi", "authentication"),
    "answer": Text("jawaban pertama", "the first answer"),
}


def read(session: Session) -> Iterator[Measurement]:
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
            fresh.rows("SELECT @@global.read_only")
            phases["role"] = time.perf_counter() - started
    except ProbeError as error:
        session.rows("SELECT 1")
        words = error.failure.message
        detail = {
            "kind": str(error.failure.kind),
            "said": Text(
                f"sesi lama hidup, tetapi login baru gagal: {words}",
                f"existing sessions live, but a new login fails: {words}",
            ),
            "advice": error.failure.hint,
        }
        yield Measurement("fresh_login_ok", 0.0, detail=detail)
        return
    yield Measurement(
        "fresh_login_ok", 1.0, detail={"said": Text("login baru berhasil", "a new login works")}
    )
    slowest = max(_PHASES, key=lambda phase: phases.get(phase, 0.0))
    logged_in = sum(phases.get(phase, 0.0) for phase in _PHASES)
    yield Measurement("login_seconds", logged_in, detail={"slowest": _PHASES[slowest]})
    for phase, seconds in phases.items():
        yield Measurement("login_phase_seconds", seconds, phase)


PROBE = Probe(
    name="login",
    engine="mysql",
    question=Text(
        "Apakah login baru berhasil, dan cukup cepat?", "Does a new login work, in time?"
    ),
    measures=(
        Measure("fresh_login_ok", "", "1 when a new login works"),
        Measure("login_seconds", "seconds", "How long a new login took, first answer included"),
        Measure(
            "login_phase_seconds",
            "seconds",
            "The same by phase: resolve, connect, tls, login, answer; role is the question for it",
            "phase",
        ),
    ),
    thresholds=(
        Threshold(
            measure="fresh_login_ok",
            title=Text(
                "{target}: {said}",
                "{target}: {said}",
            ),
            hint=Text("{advice}", "{advice}"),
            family="availability",
            critical=0.0,
            above=False,
            raise_after=2,
        ),
        Threshold(
            measure="login_seconds",
            title=Text(
                "{target}: login baru memakan {value}, terlama {slowest}",
                "{target}: a new login takes {value}, most of it {slowest}",
            ),
            hint=Text(
                "Periksa beban server, antrean koneksi (Threads_running) dan pencarian nama "
                "(skip_name_resolve).",
                "Check the server's load, the connection queue (Threads_running) and its name "
                "lookups (skip_name_resolve).",
            ),
            family="availability",
            warning=1.0,
            raise_after=3,
        ),
    ),
    read=read,
    every=60.0,
    sooner_in_doubt=True,
    runbook=Text(
        "1) Slot koneksi: SHOW PROCESSLIST, max_connections. 2) Akun pemantau: terkunci, sandinya "
        "kedaluwarsa, dibatasi? 3) host_cache dan skip_name_resolve. 4) Log kesalahan. 5) Beban "
        "server: thread_cache_size, Threads_running.",
        "1) Connection slots: SHOW PROCESSLIST, max_connections. 2) The monitoring account: "
        "locked, password expired, limited? 3) host_cache and skip_name_resolve. 4) The error "
        "log. 5) The server's load: thread_cache_size, Threads_running.",
    ),
)
