"""State of this member of a MySQL group: online, group complete, applying in time.

A member in ERROR or alone in a minority answers reads with old data and accepts logins; in a
minority every write hangs. Reports nothing on a server that belongs to no group. Members that are
ONLINE or recovering are reported by address, so that the agent notices a missing one. Source:
performance_schema.replication_group_members and replication_group_member_stats (MySQL 5.7 to 9).
"""

from __future__ import annotations

from collections.abc import Iterator

from probes.i18n.headings import headings
from probes.model import Exhibit, Measure, Measurement, Probe, Session, Text, Threshold
from probes.mysql.clusters import groups
from probes.mysql.clusters.groups import Group
from probes.mysql.grants import INSTRUMENTS


def read(session: Session) -> Iterator[Measurement]:
    """This member's state, the group's size, and what waits to be certified or applied."""
    found = groups.group(session)
    if found is None:
        return
    yield from states(found)
    waiting = groups.waiting(session, found)
    if waiting is not None:
        yield Measurement("group_queue_transactions", waiting)


def states(group: Group) -> Iterator[Measurement]:
    """The list of members as measurements. Without a quorum it does not show who has left."""
    online = sum(row["MEMBER_STATE"] == groups.ONLINE for row in group.members)
    away = ", ".join(
        f"{groups.address(row)} {row['MEMBER_STATE']}"
        for row in group.members
        if row["MEMBER_STATE"] != groups.ONLINE and row["MEMBER_ID"] != group.uuid
    )
    is_online = group.state == groups.ONLINE
    yield Measurement("group_member_online", float(is_online), detail={"state": group.state})
    if not group.takes_part:
        return  # alone, it sees only itself: no word about the group
    yield Measurement("group_members_online", float(online))
    yield Measurement(
        "group_has_quorum",
        float(group.has_quorum),
        detail={
            "reached": group.reached,
            "all": len(group.members),
            "away": f" ({away})" if away else "",
        },
    )
    if group.has_quorum:
        for row in group.members:
            if row["MEMBER_STATE"] in {groups.ONLINE, groups.RECOVERING}:
                yield Measurement("group_member", 1.0, groups.address(row))


def exhibits(session: Session) -> Iterator[Exhibit]:
    """The group as this member sees it."""
    if session.flavour != "mysql":
        return
    rows = session.rows(groups.MEMBERS)
    columns = tuple(rows[0]) if rows else ()
    yield Exhibit(
        Text("Members of the group"),
        headings(*columns),
        tuple(tuple(str(row[name]) for name in columns) for row in rows),
    )


PROBE = Probe(
    name="group_replication",
    engine="mysql",
    question=Text("Is this member of the group ONLINE, and is the group whole?"),
    measures=(
        Measure("group_member_online", "", "1 when this member is ONLINE in its group"),
        Measure("group_members_online", "", "Members that this one sees as ONLINE"),
        Measure("group_member", "", "1 for each member ONLINE or recovering", "member"),
        Measure("group_has_quorum", "", "1 when this member can reach more than half of the group"),
        Measure("group_queue_transactions", "", "Transactions waiting to be certified or applied"),
    ),
    thresholds=(
        Threshold(
            measure="group_member_online",
            title=Text("{target}: the Group Replication member is {state}"),
            hint=Text("Read its error log, mend it, then a person runs `START GROUP_REPLICATION`."),
            family="replication",
            critical=0.0,
            above=False,
            raise_after=2,
        ),
        Threshold(
            measure="group_has_quorum",
            title=Text(
                "{target}: the group has lost its quorum, only {reached} of {all} members are "
                "reached{away}: no write is taken"
            ),
            headline=Text("{target}: the group has lost its quorum, no write is taken"),
            hint=Text(
                "Bring back the network or the members that are gone. "
                "group_replication_force_members only by a person who is certain that the others "
                "are dead."
            ),
            family="replication",
            critical=0.0,
            above=False,
            raise_after=2,
        ),
        Threshold(
            measure="group_queue_transactions",
            title=Text(
                "{target}: {value} {value:transaction waits|transactions wait} in the Group "
                "Replication queue"
            ),
            headline=Text("{target}: transactions pile up in the Group Replication queue"),
            hint=Text("This member is slower than its group: disk, large transactions, locks."),
            family="replication",
            warning=25_000.0,  # where the group's own flow control begins to brake everybody
            raise_after=3,
        ),
    ),
    read=read,
    exhibits=exhibits,
    grants=tuple(each for each in INSTRUMENTS if "performance_schema" in each.sql),
    runbook=Text(
        "1. Who still has the majority? 2. A member in ERROR: log, errant transactions? 3. "
        "Rejoin by a person; no majority: group_replication_force_members only when certain."
    ),
)
