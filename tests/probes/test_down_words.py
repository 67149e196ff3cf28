"""Texts for every reason why a server cannot be used, in both languages, for every engine."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest

from probes import (
    CONNECTION_KINDS,
    Failure,
    FailureKind,
    Finding,
    Measurement,
    Reading,
    Text,
    registry,
)
from probes.judge import Judge
from probes.mysql.connection import errors as mysql
from probes.pgbouncer import errors as pgbouncer
from probes.postgresql.connection import errors as postgresql
from probes.templates import login as logins
from probes.wire.libpq_errors import KnownError
from probes.words.failure_text import NOT_ITS_PROTOCOL
from tests.support.builders import NOON, a_target
from tests.support.words import both

SENTENCES = {
    FailureKind.UNREACHABLE: both("simpeg tidak terjangkau", "simpeg is unreachable"),
    FailureKind.REFUSED: both("simpeg menolak sambungan", "simpeg refuses connections"),
    FailureKind.DENIED: both(
        "simpeg menolak akun pemantau", "simpeg rejects the monitoring account"
    ),
    FailureKind.EXHAUSTED: both(
        "simpeg kehabisan slot koneksi", "simpeg is out of connection slots"
    ),
    FailureKind.TIMEOUT: both(
        "simpeg membeku atau tidak menjawab", "simpeg is frozen or does not answer"
    ),
}
VERB = re.compile(r"(?:is|has|does|takes|answers|lives|rejects),? ")


def told(engine: str, failure: Failure) -> Text:
    """The title of the incident that such a failure opens."""
    judge, target = Judge(), a_target(engine=engine)
    (probe,) = (each for each in registry.probes_for(engine) if each.name == "availability")
    for n in range(2):
        at = NOON + timedelta(minutes=n)
        reading = Reading(target.name, probe.name, at, 0.01, failure=failure)
        findings = judge.assess(target, probe, reading).findings
    (up,) = (each for each in findings if each.measure == "up")
    assert up.opens
    return up.title


def test_every_kind_of_being_down_has_its_sentence() -> None:
    assert set(SENTENCES) == CONNECTION_KINDS


@pytest.mark.parametrize("engine", ["postgresql", "mysql", "pgbouncer"])
@pytest.mark.parametrize("kind", SENTENCES, ids=str)
def test_a_server_that_is_down_is_told_in_the_same_sentence_on_every_engine(
    engine: str, kind: FailureKind
) -> None:
    assert told(engine, Failure(kind, "FATAL: as the driver says it")) == SENTENCES[kind]


def known_words() -> list[Text]:
    """Every phrase that replaces a kind's own text."""
    tables: tuple[KnownError, ...] = (*postgresql._LOGIN, *pgbouncer._LOGIN)
    own = {each.title for each in tables if each.title.en and each.kind in CONNECTION_KINDS}
    own |= {NOT_ITS_PROTOCOL, mysql._HUNG_UP, mysql._NOT_OFFERED, mysql._ACCOUNT_AT_LIMIT}
    return sorted(own, key=lambda each: each.en)


@pytest.mark.parametrize("words", known_words(), ids=lambda words: words.en)
def test_a_cause_with_words_of_its_own_goes_on_after_the_servers_name(words: Text) -> None:
    assert VERB.match(words.en), words.en
    assert words.id[0].islower()
    title = told("postgresql", Failure(FailureKind.DENIED, "FATAL", said=words))
    assert title == both(f"simpeg {words.id}", f"simpeg {words.en}")


def of_a_login(engine: str, failure: Failure) -> Finding:
    """The finding of two logins that failed so, beside a session that works."""
    judge, target = Judge(), a_target(engine=engine)
    (probe,) = (each for each in registry.probes_for(engine) if each.name == "login")
    failed = Measurement("fresh_login_ok", 0.0, detail=logins.facts(target, failure))
    for n in range(2):
        at = NOON + timedelta(minutes=n)
        reading = Reading(target.name, probe.name, at, 0.01, (failed,))
        findings = judge.assess(target, probe, reading).findings
    (found,) = (each for each in findings if each.measure == "fresh_login_ok")
    assert found.opens
    return found


@pytest.mark.parametrize("words", known_words(), ids=lambda words: words.en)
def test_a_login_that_fails_alone_says_of_the_server_why(words: Text) -> None:
    found = of_a_login("postgresql", Failure(FailureKind.EXHAUSTED, "FATAL", said=words))
    assert (
        found.title
        == found.headline
        == both(
            f"Login baru ke simpeg gagal, sesi lama masih berjalan: {words.id}",
            f"New logins to simpeg fail while existing sessions work: it {words.en}",
        )
    )


RAW = 'FATAL: password authentication failed for user "sigap"'


@pytest.mark.parametrize("engine", ["postgresql", "mysql", "pgbouncer"])
def test_sigaps_account_rejected_alone_is_not_told_as_an_outage_of_everybodys_logins(
    engine: str,
) -> None:
    hint = both("Periksa password_file.", "Check the password_file.")
    found = of_a_login(engine, Failure(FailureKind.DENIED, RAW, hint))
    assert found.headline == both(
        "simpeg tidak menerima akun pemantau Sigap",
        "simpeg does not let Sigap's monitoring account in",
    )
    assert found.title == both(
        f"{found.headline.id} ({RAW}); sesi yang sudah terbuka tetap berjalan, belum diketahui "
        "apakah akun lain juga ditolak",
        f"{found.headline.en} ({RAW}); sessions that are open go on, whether other accounts are "
        "rejected too is not known",
    )
    assert found.hint == hint


@pytest.mark.parametrize("kind", sorted(CONNECTION_KINDS), ids=str)
def test_a_servers_own_words_stand_in_the_sentence_and_not_in_the_name(kind: FailureKind) -> None:
    found = of_a_login("postgresql", Failure(kind, "FATAL: as the driver says it"))
    assert "(FATAL: as the driver says it)" in found.title.id
    assert "FATAL" not in found.headline.id + found.headline.en
