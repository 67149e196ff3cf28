"""Fresh login beside the kept session: whether it works and how long each phase takes.

Only the combination of a kept session (``availability``) and a fresh login distinguishes "logins
fail, existing sessions work" (slots full, account locked, authentication backend down) from a
server that is down. A login is the most expensive probe: it computes hashes, may start a process on
the server, and is written to its log. It runs once a minute, and at the agent's interval while in
doubt (decision 12).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from functools import partial

from probes.i18n.formats import duration
from probes.model import (
    CONNECTION_KINDS,
    NOTHING_SAID,
    Exhibit,
    Failure,
    FailureKind,
    Measure,
    Measurement,
    Probe,
    ProbeError,
    Session,
    Target,
    Text,
    Threshold,
)
from probes.wire import deadline
from probes.words import failure_text
from probes.words.tables import remarks

_SHARE_OF_THE_LOGIN = 0.8
"""Of the time left, so that the kept session can still be asked after a login that hangs."""

_FAIL = Text("New logins to {target} fail while existing sessions work{cause}")
_NOT_OURS = Text("{target} does not let Sigap's monitoring account in{cause}")
_OTHERS_UNKNOWN = Text(
    "; sessions that are open go on, whether other accounts are rejected too is not known"
)
"""Only Sigap's own account was tried; its rejection says nothing about other accounts."""
_NONE_LEFT = Text(": no connection is left")

# For a finding that is not clear yet, because that needs more than one good reading.
_TRIED = Text("Logging in to {target}")
_AGAIN = Text(": a new login works again")
_WAIT = Text("Logging in works again; wait for the next reading.")

Show = Callable[[Session], Iterable[Exhibit]]
"""A function that yields a probe's evidence."""

_HOLDERS = Text("Who holds the connections")

PHASES = {
    "resolve": Text("resolving the name (DNS)"),
    "connect": Text("connecting (network)"),
    "tls": Text("the TLS handshake"),
    "login": Text("authentication"),
    "first_answer": Text("the first answer"),
    "role": Text("the question for its role"),
    "server": Text("waiting for a server connection"),
}

MEASURES = (
    Measure("fresh_login_ok", "", "1 when a new login succeeds."),
    Measure("login_seconds", "seconds", "Time for name resolution, login and the first answer."),
    Measure(
        "login_phase_seconds",
        "seconds",
        f"Time of each step of that login: {', '.join(PHASES)}.",
        "phase",
    ),
)


def attempt(session: Session, question: str, phase: str = "role") -> Iterator[Measurement]:
    """One login, timed by phase; a refused login is a value while the kept session answers.

    ``question``: the query for the fresh session, and for the kept one when the login failed; the
    time of the first counts as ``phase``. If the kept session does not answer either, the server is
    down: the reading fails (``ProbeError``) and nothing is said about logins.
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
        yield Measurement("fresh_login_ok", 0.0, detail=facts(session.target, error.failure))
        return
    tried = _TRIED.format(target=session.target.name)
    again = {"outcome": tried, "reason": _AGAIN, "next": _WAIT}
    yield Measurement("fresh_login_ok", 1.0, detail=again)
    slowest = max(phases, key=lambda name: phases[name])
    detail = {"phase": PHASES[slowest], "took": duration(phases[slowest])}
    yield Measurement("login_seconds", sum(phases.values()), detail=detail)
    for name, seconds in phases.items():
        yield Measurement("login_phase_seconds", seconds, name)


def facts(target: Target, failure: Failure) -> dict[str, object]:
    """Details of a failed login for a title: which account, and why.

    ``outcome`` is Sigap's wording, in both languages; the server's message is in ``reason``.
    """
    said = failure.said
    denied = failure.kind is FailureKind.DENIED
    cause = _NONE_LEFT if failure.kind is FailureKind.EXHAUSTED else NOTHING_SAID
    if said.en:
        cause = Text(": it {said}", said=said)
    outcome = (_NOT_OURS if denied else _FAIL).format(target=target.name, cause=cause)
    reason = "" if said.en else f" ({failure.message})"
    others = _OTHERS_UNKNOWN if denied else NOTHING_SAID
    return {
        "outcome": outcome,
        "reason": Text("{reason}{others}", reason=reason, others=others),
        "failure_kind": failure.kind.value,
        "next": failure.hint,
    }


def beside(holders: Show) -> Show:
    """Who uses the connection slots, as ``connections`` shows it, read through the open session.

    If that is not readable, the reason is shown instead; other evidence is not affected.
    """

    def shown(session: Session) -> Iterator[Exhibit]:
        try:
            yield from holders(session)
        except ProbeError as error:
            if error.failure.kind in CONNECTION_KINDS:
                raise
            note = remarks(failure_text.shown(error.failure), error.failure.hint)
            yield Exhibit(_HOLDERS, (), (), note)

    return shown


def probe(
    engine: str,
    question: str,
    *,
    when_slow: Text,
    holders: Show,
    runbook: Text,
    family: str = "availability",
    phase: str = "role",
) -> Probe:
    """The probe of an engine; ``question`` and ``phase`` as in ``attempt``.

    ``when_slow`` is the engine's hint, ``holders`` its evidence of who holds the connections.
    """
    return Probe(
        name="login",
        engine=engine,
        question=Text("Does a new login work, in time?"),
        measures=MEASURES,
        thresholds=_thresholds(when_slow, family),
        read=partial(attempt, question=question, phase=phase),
        every=60.0,
        exhibits=beside(holders),
        sooner_in_doubt=True,
        runbook=runbook,
    )


def _thresholds(when_slow: Text, family: str) -> tuple[Threshold, ...]:
    """Failing logins are critical, slow ones a warning; ``when_slow`` is the engine's own hint."""
    return (
        Threshold(
            "fresh_login_ok",
            Text("{outcome}{reason}"),
            Text("{next}"),
            family,
            critical=0.0,
            above=False,
            raise_after=2,
            headline=Text("{outcome}"),
        ),
        Threshold(
            "login_seconds",
            Text(
                "Logging in to {target} is slow: {value} (limit {limit}), most of it {phase} {took}"
            ),
            when_slow,
            family,
            warning=1.0,
            raise_after=3,
            headline=Text("Logging in to {target} is slow, most of all {phase}"),
        ),
    )
