"""Deadlocks per minute, and the transactions of the last one.

The server resolves a deadlock itself and the application sees a failed save; a few a day are
ordinary, a few a minute are a design fault. The rate uses the server's own uptime; details of the
last deadlock, without user data, are read only when the count has grown. MariaDB before 10.6 has a
count that never moves (seen on 10.5.23): there each new deadlock report counts as one, so two
between two readings count once.
Sources: status Innodb_deadlocks (MariaDB), INNODB_METRICS lock_deadlocks (MySQL), SHOW ENGINE
INNODB STATUS.
"""

from __future__ import annotations

from collections.abc import Iterator

from probes.i18n.headings import headings
from probes.model import Exhibit, Measure, Measurement, MemoryKey, Probe, Session, Text, Threshold
from probes.mysql.ask import growth, number, status
from probes.mysql.grants import PROCESS, SIGHT
from probes.mysql.locks.deadlock_report import InnodbDeadlock, last
from probes.words.tables import AT_SERVER_TIME, ROLLED_BACK

_REPORTS = MemoryKey[tuple[str, int]]("time of the last report, and how many were seen")

_METRIC = (
    "SELECT COUNT AS found FROM information_schema.INNODB_METRICS "
    "WHERE NAME = 'lock_deadlocks' AND STATUS = 'enabled'"
)


_COUNTED_SINCE = 100600  # MariaDB's version from which the server's own count moves


def read(session: Session) -> Iterator[Measurement]:
    """Deadlocks per minute since the last reading; nothing at the first one."""
    found = status(session, "Uptime", "Innodb_deadlocks")
    if session.flavour == "mariadb":
        session.rows(f"SELECT {SIGHT} AS seen")  # else blind only once there is one to show
    total = number(found, "Innodb_deadlocks")
    if session.flavour == "mariadb" and session.version < _COUNTED_SINCE:
        total = float(_reports(session))
    elif total is None:
        rows = session.rows(_METRIC) if session.flavour == "mysql" else []
        total = float(rows[0]["found"]) if rows else None
    uptime = number(found, "Uptime")
    if total is None or uptime is None:
        return
    yield Measurement("deadlocks_total", total)
    grown, seconds = growth(session, {"uptime": uptime, "deadlocks": total})
    if not seconds:
        return
    detail: dict[str, object] = {}
    if grown["deadlocks"]:
        detail = {"said": told(_last(session))}
    yield Measurement("deadlocks_per_minute", grown["deadlocks"] * 60 / seconds, detail=detail)


def _reports(session: Session) -> int:
    """Deadlock reports seen by this agent; the one found at the first reading does not count."""
    deadlock = _last(session)
    at = deadlock.at if deadlock else ""
    before, count = session.memory.of(_REPORTS, (at, 0))
    if at and at != before:
        count += 1
        session.memory.set(_REPORTS, (at, count))
    return count


def _last(session: Session) -> InnodbDeadlock | None:
    rows = session.rows("SHOW ENGINE INNODB STATUS")
    return last(str(rows[0]["Status"])) if rows else None


def told(deadlock: InnodbDeadlock | None) -> Text:
    """The last deadlock in a clause, for a title."""
    if deadlock is None or not deadlock.parties:
        return Text("")
    accounts = ", ".join(dict.fromkeys(each.account for each in deadlock.parties))
    tables = ", ".join(deadlock.tables)
    return Text("; the last among {accounts} on {tables}", accounts=accounts, tables=tables)


_NONE_YET = Text("none since the server started")


def exhibits(session: Session) -> Iterator[Exhibit]:
    """The transactions of the last deadlock, and which one was rolled back."""
    deadlock = _last(session)
    rows = tuple(
        (
            str(each.connection), each.account, each.statement, each.table, each.index, each.mode,
            ROLLED_BACK if each.rolled_back else "",
        )
        for each in (deadlock.parties if deadlock else ())
    )  # fmt: skip
    yield Exhibit(
        Text("The last deadlock"),
        headings("session", "account", "statement", "waited for table", "index", "mode", "outcome"),
        rows,
        note=AT_SERVER_TIME.format(at=deadlock.at) if deadlock else _NONE_YET,
    )


PROBE = Probe(
    name="deadlocks",
    engine="mysql",
    question=Text("How often do transactions deadlock, and who was in the last one?"),
    measures=(
        Measure("deadlocks_total", "", "Deadlocks since the server started"),
        Measure("deadlocks_per_minute", "", "Deadlocks per minute"),
    ),
    thresholds=(
        Threshold(
            measure="deadlocks_per_minute",
            title=Text("{target}: {value} {value:deadlock|deadlocks} a minute{said}"),
            headline=Text("{target}: deadlocks keep coming"),
            hint=Text(
                "The application locks rows in different orders: make the order one, shorten the "
                "transactions, or add an index so that fewer rows are locked."
            ),
            family="locks",
            # five a minute is the common warning; one a second is an outage for users
            warning=5.0,
            critical=60.0,
            raise_after=2,
        ),
    ),
    read=read,
    every=60.0,
    exhibits=exhibits,
    grants=PROCESS,
    runbook=Text(
        "1. Evidence: both statements and their table. 2. A new release? 3. Does the application "
        "retry the loser? 4. `innodb_print_all_deadlocks=ON` for a while."
    ),
)
