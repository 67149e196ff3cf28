"""The account and the setting that PgBouncer needs in its own files.

Source: PgBouncer manual, stats_users and "Authentication file format".
"""

from __future__ import annotations

from probes.model import Grant, Text
from probes.words.engine import NoAccountName

FLAVOUR = "pgbouncer"

BASE = (
    Grant(
        '"{user}" "CHANGE-ME"',
        FLAVOUR,
        Text("one more line of the file that auth_file names (userlist.txt)"),
    ),
    Grant(
        "stats_users = {user}",
        FLAVOUR,
        Text(
            "in pgbouncer.ini under [pgbouncer], beside those who stand there (with a comma): may "
            "ask with SHOW and change nothing, unlike admin_users; both take effect with a reload"
        ),
    ),
)


def account(name: str) -> str:
    """The name as written in both files; raises ``NoAccountName``."""
    if not name or any(sign.isspace() or sign in ',"' for sign in name):
        raise NoAccountName(
            Text(
                "'{name}' is not valid in stats_users; leave out blanks, commas and quotes",
                name=name,
            )
        )
    return name
