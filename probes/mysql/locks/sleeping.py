"""Sessions that have slept longest: a lock holder that is not visible is usually among them.

A session that took the global read lock (FLUSH TABLES WITH READ LOCK, a backup) or LOCK TABLES and
then does nothing has no transaction in INNODB_TRX, but is in the list of sessions. No statement is
shown, because a sleeping session runs none. Needs PROCESS.
"""

from __future__ import annotations

from probes.i18n.headings import headings
from probes.model import Exhibit, Session, Text
from probes.words.tables import NONE, OLDEST, cell

_MOST = 40
_ASK = {
    "mariadb": """
SELECT p.ID AS id, p.USER AS user, p.HOST AS host, p.DB AS db, p.TIME AS slept,
       timestampdiff(SECOND, t.trx_started, now()) AS age, t.trx_rows_locked AS locked
FROM information_schema.PROCESSLIST p
LEFT JOIN information_schema.INNODB_TRX t ON t.trx_mysql_thread_id = p.ID
WHERE p.COMMAND = 'Sleep' AND p.ID <> connection_id() ORDER BY p.TIME DESC, p.ID LIMIT %s""",
    # INFORMATION_SCHEMA.PROCESSLIST takes MySQL's lock over all sessions; threads does not
    "mysql": """
SELECT p.PROCESSLIST_ID AS id, p.PROCESSLIST_USER AS user, p.PROCESSLIST_HOST AS host,
       p.PROCESSLIST_DB AS db, p.PROCESSLIST_TIME AS slept,
       timestampdiff(SECOND, t.trx_started, now()) AS age, t.trx_rows_locked AS locked
FROM performance_schema.threads p
LEFT JOIN information_schema.INNODB_TRX t ON t.trx_mysql_thread_id = p.PROCESSLIST_ID
WHERE p.PROCESSLIST_COMMAND = 'Sleep' AND p.PROCESSLIST_ID <> connection_id()
ORDER BY p.PROCESSLIST_TIME DESC, p.PROCESSLIST_ID LIMIT %s""",
}


def longest(session: Session) -> Exhibit:
    """Sleeping sessions, the longest first, with the age of the transaction each has left open."""
    rows = session.rows(_ASK[session.flavour], (_MOST,))
    return Exhibit(
        Text("Sessions that have slept longest"),
        headings("session", "account", "database", "idle seconds", "transaction s", "rows locked"),
        tuple(
            (
                cell(row["id"]),
                f"{row['user']}@{row['host']}",
                *(cell(row[each]) for each in ("db", "slept", "age", "locked")),
            )
            for row in rows
        ),
        note=NONE if not rows else OLDEST.format(shown=_MOST) if len(rows) == _MOST else "",
    )
