"""Is semi-synchronous replication doing what it was switched on for, and does it hold up commits.

Why: after its time-out the server quietly goes on without any replica's word (a crash then loses
commits), and with a long time-out every commit hangs instead; both look healthy elsewhere.
Promise: silent where it is not switched on. Sources: status Rpl_semi_sync_{source,master}_status,
_clients, _wait_sessions and Rpl_semi_sync_{replica,slave}_status, under both pairs of names.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from probes.model import Measure, Measurement, Probe, Session, Text, Threshold
from probes.mysql.ask import is_on, number, status, variables

_SWITCHES = (
    "rpl_semi_sync_source_enabled", "rpl_semi_sync_master_enabled",
    "rpl_semi_sync_replica_enabled", "rpl_semi_sync_slave_enabled",
)  # fmt: skip
_STATES = (
    "Rpl_semi_sync_source_status", "Rpl_semi_sync_master_status",
    "Rpl_semi_sync_source_clients", "Rpl_semi_sync_master_clients",
    "Rpl_semi_sync_source_wait_sessions", "Rpl_semi_sync_master_wait_sessions",
    "Rpl_semi_sync_source_no_tx", "Rpl_semi_sync_master_no_tx",
    "Rpl_semi_sync_replica_status", "Rpl_semi_sync_slave_status",
    "Slaves_connected",
)  # fmt: skip


def read(session: Session) -> Iterator[Measurement]:
    """State of the side or sides that are switched on."""
    switches = variables(session, *_SWITCHES)
    if not any(is_on(switches, name) for name in _SWITCHES):
        return
    yield from states(switches, status(session, *_STATES))


def states(switches: Mapping[str, str], found: Mapping[str, str]) -> Iterator[Measurement]:
    """The measurements, from settings and status under whichever names they come."""
    if is_on(switches, *_SWITCHES[:2]):
        active = is_on(found, *_STATES[0:2])
        clients = number(found, *_STATES[2:4]) or 0.0
        waiting = number(found, *_STATES[4:6]) or 0.0
        detail = {"clients": int(clients)}
        yield Measurement("semi_sync_active", float(active and clients > 0), detail=detail)
        yield Measurement("semi_sync_clients", clients)
        yield Measurement("semi_sync_waiting_sessions", waiting, detail=detail)
        if (unconfirmed := number(found, *_STATES[6:8])) is not None:
            yield Measurement("semi_sync_unconfirmed_transactions", unconfirmed)
    if is_on(switches, *_SWITCHES[2:4]):
        yield Measurement("semi_sync_replica_active", float(is_on(found, *_STATES[8:10])))


PROBE = Probe(
    name="semi_sync",
    engine="mysql",
    question=Text(
        "Apakah replikasi semi-sinkron bekerja, dan adakah commit yang tertahan olehnya?",
        "Does semi-synchronous replication work, and does it hold up commits?",
    ),
    measures=(
        Measure("semi_sync_active", "", "1 when commits really wait for a replica's word"),
        Measure("semi_sync_clients", "", "Semi-synchronous replicas connected"),
        Measure("semi_sync_waiting_sessions", "", "Sessions that wait for a replica's word now"),
        Measure(
            "semi_sync_unconfirmed_transactions",
            "",
            "Commits without a replica's word, since start",
        ),
        Measure("semi_sync_replica_active", "", "1 when this replica confirms what it receives"),
    ),
    thresholds=(
        Threshold(
            measure="semi_sync_active",
            title=Text(
                "{target}: semi-sinkron menyala tetapi tidak bekerja ({clients} replika "
                "tersambung): commit tidak lagi dijamin ada di replika",
                "{target}: semi-synchronous replication is on but not at work ({clients} replicas "
                "connected): commits are no longer safe on a replica",
            ),
            hint=Text(
                "Periksa replika semi-sinkronnya: hidup, tersambung, dan pluginnya menyala?",
                "Look at its semi-synchronous replicas: alive, connected, their side switched on?",
            ),
            family="replication",
            warning=0.0,
            above=False,
            raise_after=2,
        ),
        Threshold(
            measure="semi_sync_waiting_sessions",
            title=Text(
                "{target}: {value} sesi tertahan pada commit, menunggu jawaban replika "
                "({clients} tersambung)",
                "{target}: {value} sessions hang in commit, waiting for a replica's word "
                "({clients} connected)",
            ),
            hint=Text(
                "Hidupkan replikanya; darurat: petugas menurunkan "
                "rpl_semi_sync_source_timeout (master_timeout), sadar bahwa jaminannya hilang.",
                "Bring the replica back; in an emergency a person lowers "
                "rpl_semi_sync_source_timeout (master_timeout), knowing what guarantee is lost.",
            ),
            family="replication",
            critical=1.0,
            # one session in passing is ordinary; three readings in a row are a queue
            raise_after=3,
        ),
        Threshold(
            measure="semi_sync_replica_active",
            title=Text(
                "{target}: sisi replika semi-sinkron menyala tetapi tidak bekerja",
                "{target}: the semi-synchronous replica side is on but not at work",
            ),
            hint=Text(
                "Setelah dinyalakan, penerima harus dimulai ulang: STOP/START REPLICA IO_THREAD.",
                "Once switched on, the receiver must be restarted: STOP/START REPLICA IO_THREAD.",
            ),
            family="replication",
            warning=0.0,
            above=False,
            raise_after=3,
        ),
    ),
    read=read,
    runbook=Text(
        "1) Berapa replika semi-sinkron yang diharapkan? 2) Receiver-nya berjalan? 3) Jaringan "
        "lambat: naikkan timeout, jangan matikan. 4) Catat sejak kapan commit tanpa jaminan.",
        "1) How many semi-synchronous replicas should there be? 2) Do their receivers run? 3) Slow "
        "network: raise the time-out, do not switch it off. 4) Note since when commits were bare.",
    ),
)
