"""This server's membership in a MySQL group, read once a round for all probes that need it.

In a group with one primary the other members are read-only by design and replicate without a
channel that SHOW REPLICA STATUS lists; without the group's view each looks like a primary that
refuses writes.
Source: performance_schema.replication_group_members (MySQL 5.7 to 9; 5.7 names the primary only by
the status variable group_replication_primary_member).
"""

from __future__ import annotations

from dataclasses import dataclass

from probes.model import MemoryKey, Row, Session
from probes.mysql.ask import status, variables

MEMBERS = "SELECT * FROM performance_schema.replication_group_members"
_STATS = "SELECT * FROM performance_schema.replication_group_member_stats WHERE MEMBER_ID = %s"
_QUEUES = ("COUNT_TRANSACTIONS_IN_QUEUE", "COUNT_TRANSACTIONS_REMOTE_IN_APPLIER_QUEUE")
APPLIER = "group_replication_applier"
"""The channel by which a member receives the writes of the others."""
ONLINE, RECOVERING, OFFLINE = "ONLINE", "RECOVERING", "OFFLINE"
UNREACHABLE = "UNREACHABLE"
"""Still counted in the group, but does not answer; members that left or were expelled are not
listed.
"""

PRIMARY, REPLICA = "primary", "replica"
_ROLES = {"PRIMARY": PRIMARY, "SECONDARY": REPLICA}
_PRIMARY_OF_57 = "group_replication_primary_member"


@dataclass(frozen=True, slots=True)
class Group:
    """The group as one member sees it."""

    uuid: str  # of the member that looks
    members: tuple[Row, ...]
    primary_of_57: str = ""  # its uuid; empty where there is none, or where members say their role

    @property
    def state(self) -> str:
        """State of this member; OFFLINE if it is in no list."""
        mine = self._mine()
        return str(mine["MEMBER_STATE"]) if mine else OFFLINE

    @property
    def takes_part(self) -> bool:
        return self.state in {ONLINE, RECOVERING}

    @property
    def reached(self) -> int:
        """How many members answer this one, itself among them."""
        return sum(row["MEMBER_STATE"] != UNREACHABLE for row in self.members)

    @property
    def has_quorum(self) -> bool:
        return 2 * self.reached > len(self.members)

    @property
    def role(self) -> str:
        """primary or replica; empty for a member that is not active in its group.

        Outside the group, while recovering, or in a minority it takes no writes, whatever it was.
        """
        mine = self._mine()
        if mine is None or self.state != ONLINE or not self.has_quorum:
            return ""
        if "MEMBER_ROLE" in mine:
            return _ROLES.get(str(mine["MEMBER_ROLE"]), "")
        return PRIMARY if self.primary_of_57 in {"", self.uuid} else REPLICA

    def _mine(self) -> Row | None:
        return next((row for row in self.members if row["MEMBER_ID"] == self.uuid), None)


_GROUP = MemoryKey[Group]("this server's group")


def group(session: Session) -> Group | None:
    """This server's group; ``None`` on a server that belongs to none. Raises ``ProbeError``."""
    if session.flavour != "mysql":
        return None
    found = variables(session, "group_replication_group_name", "server_uuid")
    if not found.get("group_replication_group_name"):
        return None
    known = session.shared.round.get(_GROUP)
    if known is None:
        members = tuple(session.rows(MEMBERS))
        old = bool(members) and "MEMBER_ROLE" not in members[0]
        primary = status(session, _PRIMARY_OF_57).get(_PRIMARY_OF_57, "") if old else ""
        known = Group(found["server_uuid"], members, primary)
        session.shared.round.set(_GROUP, known)
    return known


def waiting(session: Session, group: Group) -> float | None:
    """Transactions that wait on this member to be certified or applied; ``None``: not reported."""
    for row in session.rows(_STATS, (group.uuid,)):
        return sum(float(row[name]) for name in _QUEUES if row.get(name) is not None)
    return None


def address(row: Row) -> str:
    """A member as the group lists it."""
    return f"{row['MEMBER_HOST']}:{row['MEMBER_PORT']}"
