"""A login of its own beside the kept session: whether it works, and where its time goes.

Only the pair of a kept session (``availability``) and a fresh login tells "logins are broken,
existing sessions work" (slots full, account locked, authentication backend down) from "all dead".
A login is the dearest of all questions: it computes, may cost the server a process, and is written
into its log. So it is asked once a minute, and at every interval while there is any doubt.
"""

from __future__ import annotations

import time
from collections.abc import Iterator

from probes import deadline, retold
from probes.model import Failure, Measure, Measurement, ProbeError, Session, Text, Threshold
from probes.units import duration

QUESTION = Text("Apakah login baru berhasil, dan cukup cepat?", "Does a new login work, in time?")
EVERY_SECONDS = 60.0

_SHARE_OF_THE_LOGIN = 0.8
"""Of the time left, so that after a login that hangs the kept session can still be asked."""

# What a finding says that is not cleared yet, since it takes more than one good reading.
_AGAIN = Text("login baru sudah berhasil lagi", "a new login works again")
_WAIT = Text(
    "Login sudah berhasil lagi; tunggu pembacaan berikut.",
    "Logging in works again; wait for the next reading.",
)

PHASES = {
    "resolve": Text("mencari alamat (DNS)", "resolving the name (DNS)"),
    "connect": Text("menyambung (jaringan)", "connecting (network)"),
    "tls": Text("jabat tangan TLS", "the TLS handshake"),
    "login": Text("autentikasi", "authentication"),
    "first_answer": Text("jawaban pertama", "the first answer"),
    "role": Text("pertanyaan peran", "the question for its role"),
    "server": Text("menunggu koneksi server", "waiting for a server connection"),
}

MEASURES = (
    Measure("fresh_login_ok", "", "1 when a new login succeeds."),
    Measure("login_seconds", "seconds", "Resolving, logging in and the first answer."),
    Measure(
        "login_phase_seconds", "seconds", f"The steps of that login: {', '.join(PHASES)}.", "phase"
    ),
)


def attempt(session: Session, question: str, phase: str = "role") -> Iterator[Measurement]:
    """One login, timed by phase; a refused one is a value while the kept session answers.

    ``question``: what is asked in the fresh session, and in the kept one when the login failed;
    the time of the first counts as ``phase``. When the kept one does not answer either, all is
    dead: a failed reading (``ProbeError``), and no word about logins.
    """
    try:
        with (
            deadline.within(deadline.remaining() * _SHARE_OF_THE_LOGIN),
            session.fresh() as fresh,
        ):
            phases = dict(fresh.phases)
            started = time.perf_counter()
            fresh.rows(question)
            phases[phase] = time.perf_counter() - started
    except ProbeError as error:
        session.rows(question)
        said = error.failure
        detail = {"reason": _reason(said), "failure_kind": said.kind.value, "next": said.hint}
        yield Measurement("fresh_login_ok", 0.0, detail=detail)
        return
    yield Measurement("fresh_login_ok", 1.0, detail={"reason": _AGAIN, "next": _WAIT})
    slowest = max(phases, key=lambda name: phases[name])
    detail = {"phase": PHASES[slowest], "took": duration(phases[slowest])}
    yield Measurement("login_seconds", sum(phases.values()), detail=detail)
    for name, seconds in phases.items():
        yield Measurement("login_phase_seconds", seconds, name)


def _reason(failure: Failure) -> Text:
    """What ended the login: said of the server where there are words for it, else its own."""
    said = failure.said
    return Text(said.id, f"it {said.en}") if said.en else retold.words(failure)


def thresholds(when_slow: Text, family: str = "availability") -> tuple[Threshold, ...]:
    """Broken logins are critical, slow ones a warning; ``when_slow`` is the engine's own hint."""
    return (
        Threshold(
            "fresh_login_ok",
            Text(
                "Login baru ke {target} gagal, sesi lama masih berjalan: {reason}",
                "New logins to {target} fail while existing sessions work: {reason}",
            ),
            Text("{next}", "{next}"),
            family,
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
            when_slow,
            family,
            warning=1.0,
            raise_after=3,
            headline=Text(
                "Login ke {target} lambat, terutama {phase}",
                "Logging in to {target} is slow, most of all {phase}",
            ),
        ),
    )
