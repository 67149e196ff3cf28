"""The account PgBouncer must know, and the setting that lets it look; both in its own files.

Source: PgBouncer manual, stats_users and "Authentication file format".
"""

from __future__ import annotations

from probes.model import Grant

FLAVOUR = "pgbouncer"

BASE = (
    Grant(
        '"{user}" "CHANGE-ME"',
        FLAVOUR,
        "one more line of the file that auth_file names (userlist.txt)",
    ),
    Grant(
        "stats_users = {user}",
        FLAVOUR,
        "in pgbouncer.ini under [pgbouncer], beside those who stand there (with a comma): may ask "
        "with SHOW and change nothing, unlike admin_users; both take effect with a reload",
    ),
)


def account(name: str) -> str:
    """The name as it stands in both files; raises ``ValueError``."""
    if not name or any(sign.isspace() or sign in ',"' for sign in name):
        raise ValueError(f"{name!r} cannot stand in stats_users; leave out blanks, commas, quotes")
    return name
