"""Recent changes on the server, for the evidence of any fault.

A fault often follows a change by minutes: a restart, a SET GLOBAL. MySQL records when and by whom
(manual, "The performance_schema variables_info Table"); MariaDB only that it was by SQL (Knowledge
Base, "Information Schema SYSTEM_VARIABLES Table").
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from probes.i18n.formats import duration
from probes.i18n.headings import headings
from probes.local import down_evidence
from probes.model import Exhibit, Session, Text
from probes.mysql.ask import status

_OF_MYSQL = """
SELECT i.VARIABLE_NAME AS name, g.VARIABLE_VALUE AS value, i.SET_TIME AS at,
       concat(i.SET_USER, '@', i.SET_HOST) AS account
FROM performance_schema.variables_info i
JOIN performance_schema.global_variables g USING (VARIABLE_NAME)
WHERE i.VARIABLE_SOURCE = 'DYNAMIC' AND i.SET_TIME IS NOT NULL
ORDER BY i.SET_TIME DESC LIMIT 30
"""

_OF_MARIADB = """
SELECT lower(VARIABLE_NAME) AS name, GLOBAL_VALUE AS value
FROM information_schema.SYSTEM_VARIABLES
WHERE GLOBAL_VALUE_ORIGIN = 'SQL'
ORDER BY VARIABLE_NAME LIMIT 30
"""

_MAY_HOLD_A_SECRET = re.compile("password|secret|init_connect|init_replica|init_slave", re.I)


_RUNS_FOR = Text("the server has run for {time}")


def lately(session: Session) -> Iterator[Exhibit]:
    """Start time, settings changed by SQL since then, and the last lines of the log."""
    asked, columns = (
        (_OF_MARIADB, ("name", "value"))
        if session.flavour == "mariadb"
        else (_OF_MYSQL, ("name", "value", "at", "account"))
    )
    rows = [row for row in session.rows(asked) if not _MAY_HOLD_A_SECRET.search(row["name"])]
    running = status(session, "Uptime").get("uptime", "0")
    yield Exhibit(
        Text("Variables changed by SET GLOBAL since the server started"),
        headings(*columns),
        tuple(tuple(str(row[column]) for column in columns) for row in rows),
        note=_RUNS_FOR.format(time=duration(float(running))),
    )
    yield from down_evidence.last_words(session)
