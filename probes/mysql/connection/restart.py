"""Restarts of the server, and whether one followed a crash.

A server that crashed and came back looks healthy at the next reading, while its cold caches, lost
sessions and broken replicas look like separate faults. Source: status variable Uptime; MySQL
8.0.22+ has its error log in performance_schema.error_log, where InnoDB's messages show a crash.
"""

from __future__ import annotations

from collections.abc import Iterator

from probes.model import Measurement, MemoryKey, Session, Text
from probes.mysql.ask import number, status
from probes.mysql.grants import INSTRUMENTS
from probes.templates import restart as restarts

_CRASHED = MemoryKey[bool]("the log shows a recovery since the start")

_AFTER = Text(", after a crash (InnoDB recovery)")
_HOW = Text("the server crashed, then InnoDB recovered")

_DOUBT_SECONDS = 2.5  # both the time and Uptime are in whole seconds and read one after the other

# MY-010116 "starting as process" begins every start; MY-010229 "Starting XA crash recovery" and
# InnoDB's "not shutdown normally" (MY-012551) are only written when the last end was none.
_CRASH = """
SELECT count(*) AS found FROM performance_schema.error_log
WHERE ERROR_CODE IN ('MY-010229', 'MY-012551')
  AND LOGGED >= (SELECT max(LOGGED) FROM performance_schema.error_log
                 WHERE ERROR_CODE = 'MY-010116')"""


def read(session: Session) -> Iterator[Measurement]:
    """Seconds since the start; whether that start recovered from a crash, if the server shows
    it.
    """
    uptime = number(status(session, "Uptime"), "Uptime")
    if uptime is None:
        return
    crashed = _crashed(session)
    now = float(session.rows("SELECT UNIX_TIMESTAMP() AS now")[0]["now"])
    again = restarts.restarted(session.memory, now - uptime, _DOUBT_SECONDS)
    detail: dict[str, object] = {
        "after": _AFTER if crashed else Text(""),
        "how": _HOW,
    }
    yield from restarts.measured(uptime, again, crashed, detail)


def _crashed(session: Session) -> bool | None:
    """``None``: this server does not show its error log (MariaDB, MySQL before 8.0.22)."""
    if session.flavour != "mysql" or session.version < 80022:
        return None
    known = session.shared.login.get(_CRASHED)
    if known is None:  # a login does not outlive its server; the log may be long
        known = session.shared.login.set(_CRASHED, bool(session.rows(_CRASH)[0]["found"]))
    return known


PROBE = restarts.probe(
    "mysql",
    question=Text("When did this server start, and was it after a crash?"),
    read=read,
    after_a_crash=Text(
        "Find out why before it happens again: the error log (signal, assertion), "
        "`dmesg` (OOM, disk errors), a core dump."
    ),
    restarted_title=Text("{target} started only {value} ago{after}"),
    after_a_restart=Text(
        "Read the error log from before that start: who stopped it, or out of memory, or "
        "a disk failure."
    ),
    grants=tuple(each for each in INSTRUMENTS if "performance_schema" in each.sql),
    runbook=Text(
        "1. Planned? Declare a maintenance window next time. 2. journalctl -u mariadb / mysql, "
        "`dmesg` (OOM). 3. See the replicas: do receiver and applier run again? 4. Keep the log."
    ),
)
