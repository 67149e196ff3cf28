"""Can this server be used: does the kept session answer, does a new login work, is the role right.

Why two sessions: only the pair tells "existing sessions fine, logins broken" (slots full, account
locked, listener stuck) from "all dead". Promise: the fresh login comes last, so that a stuck login
does not hide what the kept session said; a full server is up, and cannot be logged in to.
Sources: MySQL 8.4 manual, Server System Variables; MariaDB, read_only.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, MutableMapping

from probes import deadline
from probes.model import (
    Measure,
    Measurement,
    Probe,
    ProbeError,
    Session,
    Text,
    Threshold,
)
from probes.mysql.channels import channels
from probes.mysql.grants import REPLICATION

_READ_ONLY_SWITCHES = ("read_only", "super_read_only", "innodb_read_only")
_OFF = {"", "0", "OFF"}

_ROLES: Mapping[str, Text] = {
    "primary": Text("primer", "primary"),
    "replica": Text("replika", "replica"),
    "read-only": Text("primer yang hanya-baca", "read-only primary"),
}


ROLE_SECONDS = 1.0

_PHASES: Mapping[str, Text] = {
    "resolve": Text("mencari alamat", "resolving the name"),
    "connect": Text("menyambung TCP", "connecting by TCP"),
    "tls": Text("jabat tangan TLS", "the TLS handshake"),
    "login": Text("otentikasi", "authentication"),
    "answer": Text("jawaban pertama", "the first answer"),
}


def is_read_only(variables: Mapping[str, str]) -> bool:
    """Whether ordinary accounts are kept from writing; MariaDB 12 has words where 0/1 were."""
    return any(variables.get(name, "").upper() not in _OFF for name in _READ_ONLY_SWITCHES)


def role(follows: bool, read_only: bool) -> str:
    """replica (it has a channel), primary, or read-only: nobody's replica, yet takes no writes."""
    if follows:
        return "replica"
    return "read-only" if read_only else "primary"


def said(expected: str, actual: str) -> Text:
    """The role in words, for the title."""
    words = _ROLES[actual]
    if actual == expected:
        return Text("{role} seperti diharapkan", "is the {role} it should be").format(role=words)
    other = _ROLES.get(expected, Text(expected, expected))
    return Text(
        "seharusnya {expected}, ternyata {actual}", "should be a {expected}, but is a {actual}"
    ).format(expected=other, actual=words)


def read(session: Session) -> Iterator[Measurement]:
    """Up, role and read-only from the kept session; then one fresh login, timed."""
    names = ", ".join(f"'{name}'" for name in _READ_ONLY_SWITCHES)
    found = session.rows(f"SHOW GLOBAL VARIABLES WHERE Variable_name IN ({names})")
    variables = {str(row["Variable_name"]): str(row["Value"]) for row in found}
    read_only = is_read_only(variables)
    yield Measurement("up", 1.0, detail={"reason": Text("menjawab", "answers")})
    yield Measurement("read_only", float(read_only))
    phases: dict[str, float] = {}
    try:
        with session.fresh() as second:
            phases = dict(second.phases)
            yield from _role(second, read_only, phases)
    except ProbeError as error:
        if phases:  # the login itself worked
            raise
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
        yield from _role(session, read_only, phases)
        return
    yield Measurement(
        "fresh_login_ok", 1.0, detail={"said": Text("login baru berhasil", "a new login works")}
    )
    logged_in = {name: phases[name] for name in phases if name != "role"}
    slowest = max(logged_in, key=lambda name: logged_in[name], default="answer")
    yield Measurement(
        "login_seconds", sum(logged_in.values()), detail={"slowest": _PHASES[slowest]}
    )
    for phase, seconds in phases.items():
        yield Measurement("login_phase_seconds", seconds, phase)


def _role(
    session: Session, read_only: bool, phases: MutableMapping[str, float]
) -> Iterator[Measurement]:
    """Replica or not, and whether that is as expected; nothing where it cannot be seen.

    Bounded by itself, in the session that is thrown away: the question waits behind a STOP
    REPLICA that hangs, and that is no reason to call a server down. Why it cannot be seen is
    replication_lag's news.
    """
    started = time.perf_counter()
    try:
        with deadline.within(min(ROLE_SECONDS, deadline.remaining() / 2)):
            follows = bool(channels(session))
    except ProbeError:
        return
    phases["role"] = time.perf_counter() - started
    yield Measurement("is_replica", float(follows))
    expected = session.target.role
    if expected:
        actual = role(follows, read_only)
        yield Measurement(
            "role_as_expected",
            float(actual == expected),
            detail={"expected": expected, "actual": actual, "said": said(expected, actual)},
        )


PROBE = Probe(
    name="availability",
    engine="mysql",
    question=Text(
        "Apakah server dapat dipakai: sesi lama menjawab, login baru berhasil, perannya benar?",
        "Can it be used: does the kept session answer, does a new login work, is the role right?",
    ),
    measures=(
        Measure("up", "", "1 when the server answers the kept session"),
        Measure("fresh_login_ok", "", "1 when a new login works"),
        Measure("login_seconds", "seconds", "How long a new login took, first answer included"),
        Measure(
            "login_phase_seconds",
            "seconds",
            "The same by phase: resolve, connect, tls, login, answer; role is the question for it",
            "phase",
        ),
        Measure("read_only", "", "1 when the server takes no writes from ordinary accounts"),
        Measure("is_replica", "", "1 when a replication channel is configured"),
        Measure("role_as_expected", "", "1 when the role is the one the configuration expects"),
    ),
    thresholds=(
        Threshold(
            measure="up",
            title=Text("{target} {reason}", "{target} {reason}"),
            hint=Text(
                "Periksa layanan (systemctl status mariadb / mysql), log kesalahan, dan volume "
                "datanya.",
                "Check the service (systemctl status mariadb / mysql), the error log and the data "
                "volume.",
            ),
            family="availability",
            critical=0.0,
            above=False,
            raise_after=2,
        ),
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
        Threshold(
            measure="role_as_expected",
            title=Text(
                "{target} {said}",
                "{target} {said}",
            ),
            hint=Text(
                "Bila ini failover yang disengaja, ubah role target. Bila tidak, periksa "
                "read_only dan SHOW REPLICA STATUS sebelum ada yang menulis di dua tempat.",
                "If this failover was intended, change the target's role. If not, check read_only "
                "and SHOW REPLICA STATUS before anything writes in two places.",
            ),
            family="role",
            critical=0.0,
            above=False,
            raise_after=2,
        ),
    ),
    read=read,
    grants=REPLICATION,
    runbook=Text(
        "1) Prosesnya ada? (systemctl status, ps: status T atau D berarti beku). 2) Log kesalahan. "
        "3) Volume data, redo dan tmp penuh? 4) Slot koneksi: SHOW PROCESSLIST. 5) Baru mulai "
        "ulang, setelah bukti disimpan.",
        "1) Is the process there? (systemctl status, ps: state T or D is frozen). 2) The error "
        "log. 3) Are the data, redo and tmp volumes full? 4) Connection slots: SHOW PROCESSLIST. "
        "5) Restart only then, with the evidence saved.",
    ),
    judged_on_failure="up",
)
