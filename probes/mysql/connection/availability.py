"""Whether the kept session answers, and whether the server's role is as expected.

Together with ``login`` it distinguishes "existing sessions work, logins fail" from a server that is
down. A full server is up; the role is read last and cannot set ``up`` to 0. A member of a MySQL
group has the role that its group gives it.
Sources: MySQL 8.4 manual, Server System Variables; MariaDB, read_only.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from probes.local.down_evidence import when_down
from probes.model import Measure, Measurement, Probe, ProbeError, Session, Text
from probes.mysql.clusters import groups
from probes.mysql.grants import CHANNELS
from probes.mysql.replication.channels import channels
from probes.templates import availability
from probes.wire import deadline

ROLE_SECONDS = 1.0
_READ_ONLY_SWITCHES = ("read_only", "super_read_only", "innodb_read_only")
_OFF = {"", "0", "OFF"}

_ROLES: Mapping[str, Text] = {
    "primary": Text("primary"),
    "replica": Text("replica"),
    "read-only": Text("read-only primary"),
}


def is_read_only(variables: Mapping[str, str]) -> bool:
    """Whether ordinary accounts cannot write; MariaDB 12 has words where 0/1 were."""
    return any(variables.get(name, "").upper() not in _OFF for name in _READ_ONLY_SWITCHES)


def role(follows: bool, read_only: bool) -> str:
    """replica (it has a channel), primary, or read-only: replicates from nobody, but takes no
    writes.
    """
    if follows:
        return "replica"
    return "read-only" if read_only else "primary"


def said(expected: str, actual: str) -> Text:
    """The role in words, for the title."""
    words = _ROLES[actual]
    if actual == expected:
        return Text("is the {role} it should be", role=words)
    other = _ROLES.get(expected, Text.verbatim(expected))
    return Text("should be a {expected}, but is a {actual}", expected=other, actual=words)


def read(session: Session) -> Iterator[Measurement]:
    """Up and read-only, then the role."""
    names = ", ".join(f"'{name}'" for name in _READ_ONLY_SWITCHES)
    found = session.rows(f"SHOW GLOBAL VARIABLES WHERE Variable_name IN ({names})")
    variables = {str(row["Variable_name"]): str(row["Value"]) for row in found}
    read_only = is_read_only(variables)
    yield Measurement("up", 1.0, detail={"reason": Text("answers")})
    yield Measurement("read_only", float(read_only))
    follows = _follows(session)
    if follows is None:
        return
    yield Measurement("is_replica", float(follows))
    expected = session.target.role
    if expected:
        actual = role(follows, read_only)
        yield Measurement(
            "role_as_expected",
            float(actual == expected),
            detail={"expected": expected, "actual": actual, "said": said(expected, actual)},
        )


def _follows(session: Session) -> bool | None:
    """Whether this server has a channel, or a primary in its group; None if that is not readable.

    The query waits behind a STOP REPLICA that hangs, which does not mean that the server is down,
    so it has a time limit of its own. A session without an answer by then is lost; the next one
    does not ask as long as that query still waits in the server (``channels``). ``replication_lag``
    reports why the role is not readable; ``group_replication`` reports a member that is not active
    in its group, which has no role.
    """
    try:
        with deadline.within(min(ROLE_SECONDS, deadline.remaining() / 2)):
            group = groups.group(session)
            if group is not None and not group.role:
                return None
            return (group is not None and group.role == groups.REPLICA) or bool(channels(session))
    except ProbeError:
        return None


PROBE = Probe(
    name="availability",
    engine="mysql",
    question=Text("Can the server be used by a session that is already in, and is its role right?"),
    measures=(
        availability.UP,
        Measure("read_only", "", "1 when the server takes no writes from ordinary accounts"),
        Measure(
            "is_replica", "", "1 when a replication channel is configured, or a group's secondary"
        ),
        availability.ROLE_AS_EXPECTED,
    ),
    thresholds=(
        availability.up(
            Text(
                "Check the service (`systemctl status mariadb` / mysql), the error log and the "
                "data volume."
            )
        ),
        availability.role(
            Text("{target} {said}"),
            Text(
                "If this failover was intended, change the target's role. If not, check "
                "read_only and `SHOW REPLICA STATUS` before anything writes in two places."
            ),
        ),
    ),
    read=read,
    grants=CHANNELS,
    runbook=Text(
        "1. Is the process there? (systemctl status, ps). State T is suspended: `kill -CONT PID`; "
        "D: the storage. 2. The error log. 3. Are the data, redo and tmp volumes full? 4. Only if "
        "it still takes logins: connection slots, `SHOW PROCESSLIST`. 5. Restart only then, with "
        "the evidence saved."
    ),
    judged_on_failure="up",
    exhibits_when_down=when_down,
)
