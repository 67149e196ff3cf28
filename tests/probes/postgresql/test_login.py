"""The fresh login beside the kept session."""

from __future__ import annotations

from contextlib import ExitStack, suppress
from datetime import UTC, datetime

import psycopg2
import pytest

from probes import Finding, Severity, registry
from probes.judge import Judge
from probes.postgresql.connection.availability import PROBE as AVAILABILITY
from probes.postgresql.connection.connect import open_session
from probes.postgresql.connection.login import PROBE
from probes.runner import Owner
from probes.wire import deadline
from tests.probes.postgresql.asking import read
from tests.servers.postgresql import MONITOR_PASSWORD, NO_RIGHTS, PostgresPair, Server
from tests.support.evidence import all_told
from tests.support.words import both

pytestmark = pytest.mark.servers


def now() -> datetime:
    return datetime.now(UTC)


def test_a_healthy_server_takes_logins(pair: PostgresPair) -> None:
    found = read(PROBE, pair.primary.target())
    assert found["fresh_login_ok", ""].value == 1
    assert 0 < found["login_seconds", ""].value < 5


def test_a_broken_login_beside_a_living_session_is_told_apart_from_down(pair: PostgresPair) -> None:
    with deadline.within(10):
        kept = open_session(pair.primary.target(), "kept")
    pair.primary.sql("alter role sigap nologin")
    try:
        with deadline.within(5):
            found = {m.measure: m for m in (*AVAILABILITY.read(kept), *PROBE.read(kept))}
    finally:
        pair.primary.sql("alter role sigap login")
        kept.close()
    assert found["up"].value == 1
    assert found["fresh_login_ok"].value == 0
    assert found["fresh_login_ok"].detail["failure_kind"] == "denied"
    assert "not permitted to log in" in str(found["fresh_login_ok"].detail["reason"])
    assert "login_seconds" not in found


def test_after_its_password_was_changed_sigap_says_that_its_own_account_is_not_let_in(
    single: Server,
) -> None:
    owner, judge = Owner(single.target(), registry.engine("postgresql"), 5.0), Judge()
    findings: list[Finding] = []
    try:
        assert all(taken.failure is None for taken in owner.round([PROBE], now))
        single.sql("alter role sigap password 'bukan-yang-dipasang'")
        for _ in range(2):
            (taken,) = owner.round([PROBE], now)
            findings = judge.assess(single.target(), PROBE, taken).findings
    finally:
        single.sql(f"alter role sigap password '{MONITOR_PASSWORD}'")
        owner.drop()
    (verdict,) = (each for each in findings if each.measure == "fresh_login_ok")
    assert verdict.severity is Severity.CRITICAL
    assert verdict.headline == both(
        f"{single.name} tidak menerima akun pemantau Sigap",
        f"{single.name} does not let Sigap's monitoring account in",
    )
    assert "password authentication failed" in verdict.title.id
    assert "sesi yang sudah terbuka tetap berjalan" in verdict.title.id
    assert "whether other accounts are rejected too is not known" in verdict.title.en
    assert "password_file" in verdict.hint.en


def test_when_every_slot_is_taken_the_refused_login_shows_who_holds_them(single: Server) -> None:
    owner, judge = Owner(single.target(), registry.engine("postgresql"), 5.0), Judge()
    with ExitStack() as pool:
        pool.callback(owner.drop)
        assert all(taken.failure is None for taken in owner.round([PROBE], now))
        with suppress(psycopg2.OperationalError):
            while True:
                session = single.connect()
                pool.callback(session.close)
                session.cursor().execute("set application_name = 'si-boros'")
        for _ in range(2):
            (taken,) = owner.round([PROBE], now)
            findings = judge.assess(single.target(), PROBE, taken).findings
        evidence = owner.gather(PROBE, now())
    (verdict,) = (each for each in findings if each.measure == "fresh_login_ok")
    assert "koneksi habis" in verdict.headline.id
    assert "no connection is left (FATAL:" in verdict.title.en
    assert evidence is not None
    holders, *others = all_told(evidence.exhibits)
    (pooled,) = (dict(zip(holders.columns, row, strict=True)) for row in holders.rows[:1])
    assert (pooled["account"], pooled["application"]) == ("postgres", "si-boros")
    assert int(pooled["sessions"]) == int(pooled["idle"]) >= 20
    assert pooled["since"].endswith("Z")
    assert others, "what was changed lately is shown beside it"


def test_who_holds_the_slots_is_said_to_be_unseen_without_the_right_to_see_it(
    single: Server,
) -> None:
    owner = Owner(single.target(user=NO_RIGHTS), registry.engine("postgresql"), 5.0)
    try:
        assert all(taken.failure is None for taken in owner.round([PROBE], now))
        evidence = owner.gather(PROBE, now())
    finally:
        owner.drop()
    assert evidence is not None
    holders, *others = all_told(evidence.exhibits)
    assert (holders.rows, "GRANT pg_monitor" in holders.note) == ((), True)
    assert others


def test_every_phase_of_the_login_is_timed_and_their_sum_is_the_login(pair: PostgresPair) -> None:
    found = read(PROBE, pair.primary.target())
    phases = {subject: m.value for (name, subject), m in found.items() if subject}
    assert set(phases) == {"resolve", "connect", "tls", "login", "first_answer", "role"}
    assert found["login_seconds", ""].value == pytest.approx(sum(phases.values()))
    assert phases["login"] > phases["connect"]  # SCRAM computes; loopback does not


def test_a_login_that_fails_because_all_is_dead_is_not_said_to_be_the_logins_fault(
    single: Server,
) -> None:
    owner = Owner(single.target(), registry.engine("postgresql"), 1.0)
    try:
        (fine,) = owner.round([PROBE], now)
        single.freeze()
        try:
            (frozen,) = owner.round([PROBE], now)
        finally:
            single.thaw()
    finally:
        owner.drop()
    assert fine.failure is None
    assert frozen.failure is not None
    assert (frozen.failure.kind, frozen.measurements) == ("timeout", ())
