"""Transactions written on a replica that its primary does not have.

Nothing fails until the replica is promoted or rebuilt; then it lacks transactions whose logs are
gone, or data differs permanently. With the heartbeat table the replica's own transactions are
compared with those the primary had at its last write. Without it, only what was written here while
the agent was running is counted, and on MariaDB what is beyond the replicated position. The figure
is a lower bound. Nothing is reported on a server that replicates from nobody.
Sources: MySQL 8.4 manual, gtid_executed; MariaDB, gtid_binlog_state and gtid_slave_pos.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from probes.i18n.headings import headings
from probes.model import (
    Exhibit,
    KeptKey,
    Measure,
    Measurement,
    Probe,
    Session,
    Text,
    Threshold,
    Words,
)
from probes.mysql.ask import is_on, variables
from probes.mysql.grants import CHANNELS
from probes.mysql.replication import gtid_sets, heartbeat
from probes.mysql.replication.channels import channels
from probes.mysql.replication.heartbeat import Beat, Itself

Own = Mapping[str, gtid_sets.Intervals]
"""This server's own transactions: by domain on MariaDB (only their last number is known there)."""


def _read(found: Mapping[str, Iterable[tuple[int, int]]]) -> Own:
    return {name: tuple((a, b) for a, b in each) for name, each in found.items()}


_OWN = KeptKey[Own]("own", _read)
"""What this server had written when it was first seen as a replica."""


def read(session: Session) -> Iterator[Measurement]:
    """Transactions written on this replica that its primary lacks."""
    if not channels(session):
        session.memory.drop(_OWN)  # what a primary writes is not errant after a switch
        return
    me = heartbeat.itself(session)
    if session.target.role != "primary":  # in a ring every member is one, and written to
        yield Measurement("replica_writable", float(not _read_only(session)))
    position = _slave_position(session)
    before = session.memory.of(_OWN, own(session.flavour, me, me.gtid))
    found = errant(session.flavour, me, before, heartbeat.beats(session) or [], position)
    yield Measurement(
        "errant_transactions",
        float(sum(gtid_sets.count(each) for each in found.values())),
        detail={"gtids": ", ".join(gtid_sets.written(name, each) for name, each in found.items())},
    )


def own(flavour: str, me: Itself, text: str) -> dict[str, gtid_sets.Intervals]:
    """The transactions in ``text`` that this server wrote."""
    if flavour == "mysql":
        mine = gtid_sets.of_server(text, me.server_uuid)
        return {me.server_uuid: mine} if mine else {}
    return {
        f"{domain}-{server}": ((1, last),)
        for (domain, server), last in gtid_sets.by_writer(text).items()
        if server == me.server_id
    }


def errant(
    flavour: str, me: Itself, before: Own, found: list[Beat], position: Mapping[int, int]
) -> dict[str, gtid_sets.Intervals]:
    """This server's own transactions that are not excused; pure.

    Excused is what the primary had (its row), or, without a row, what existed when this server was
    first seen as a replica and is within the replicated ``position``.
    """
    primary = [each for each in found if each.server_id != me.server_id and each.gtid]
    left: dict[str, gtid_sets.Intervals] = {}
    for name, mine in own(flavour, me, me.gtid).items():
        if primary:
            had = tuple(
                interval
                for each in primary
                for interval in own(flavour, me, each.gtid).get(name, ())
            )
            rest = gtid_sets.without(mine, tuple(sorted(had)))
        else:
            rest = gtid_sets.without(mine, before.get(name, ()))
        if flavour == "mariadb":
            rest = _beyond(name, mine, rest, position, known=bool(primary))
        if rest:
            left[name] = rest
    return left


def _beyond(
    name: str,
    mine: gtid_sets.Intervals,
    rest: gtid_sets.Intervals,
    position: Mapping[int, int],
    known: bool,
) -> gtid_sets.Intervals:
    """MariaDB numbers a domain, not a server: of a range only the last is certainly this server's.

    Transactions after the replicated position are all its own.
    """
    last = mine[-1][1]
    replicated = position.get(int(name.partition("-")[0]), 0)
    if last > replicated:
        return ((replicated + 1, last),) if rest or not known else ()
    return ((last, last),) if rest else ()


def _slave_position(session: Session) -> dict[int, int]:
    if session.flavour != "mariadb":
        return {}
    row = session.rows("SELECT @@global.gtid_slave_pos AS position")[0]
    return gtid_sets.domains(str(row["position"] or ""))


def _read_only(session: Session) -> bool:
    """Whether ordinary accounts cannot write; MariaDB 12 has words where 0/1 were."""
    found = variables(session, "read_only", "super_read_only", "innodb_read_only")
    worded = found.get("read_only", "OFF").upper() not in {"OFF", "0", ""}
    return worded or is_on(found, "super_read_only", "innodb_read_only")


def exhibits(session: Session) -> Iterator[Exhibit]:
    """This server's transactions beside those of the servers whose rows reached it."""
    me = heartbeat.itself(session)
    rows: list[tuple[Words, ...]] = [
        (Text("this server"), str(me.server_id), me.server_uuid, "", me.gtid)
    ]
    rows += [
        ("heartbeat", str(each.server_id), each.server_uuid, f"{each.age_seconds:.0f}", each.gtid)
        for each in heartbeat.beats(session) or []
    ]
    yield Exhibit(
        Text("Transactions of both sides of replication"),
        headings("whose", "server id", "server uuid", "age s", "GTID"),
        tuple(rows),
    )


PROBE = Probe(
    name="errant_transactions",
    engine="mysql",
    question=Text("Were transactions written on this replica that its primary lacks?"),
    measures=(
        # Not judged: replicas for reports have schemas of their own, and members of a ring take
        # writes; what was written here and is nowhere else is the measure below.
        Measure("replica_writable", "", "1 when ordinary accounts may write on this replica"),
        Measure(
            "errant_transactions", "", "Transactions written here that the primary lacks, at least"
        ),
    ),
    thresholds=(
        Threshold(
            measure="replica_writable",
            title=Text("{target} is a replica, but ordinary accounts may write on it"),
            hint=Text(
                "Switch on read_only (MySQL: super_read_only) on the replica, in its configuration "
                "file too. Where writing here is meant (circular replication), write "
                "role: primary for this target."
            ),
            family="role",
            warning=1.0,  # nothing is wrong yet; the first stray write will be found much later
            raise_after=2,
        ),
        Threshold(
            measure="errant_transactions",
            title=Text(
                "{target}: at least {value} {value:transaction was|transactions were} written on "
                "the replica ({gtids})"
            ),
            headline=Text("{target}: transactions were written on the replica"),
            hint=Text(
                "Find the writer (an application with the wrong address?), set read_only / "
                "super_read_only, then reconcile or rebuild the replica before any promotion."
            ),
            family="replication",
            warning=1.0,  # one is enough to break the next promotion; it breaks nothing today
        ),
    ),
    read=read,
    every=60.0,
    exhibits=exhibits,
    grants=CHANNELS,
    runbook=Text(
        "1. `mysqlbinlog` at the GTID named: which table, which account? 2. Valid data? Bring it "
        "to the primary properly. 3. If not: remove it, then an empty transaction of the same "
        "GTID on the primary (MySQL), or rebuild. 4. read_only on every replica."
    ),
)
