"""MariaDB of other Debian suites, unpacked and never installed.

Tests that use them carry the marker ``matrix``; a suite that moved is a skip with its reason.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from tests.servers import unpacked
from tests.servers.mariadb import MariaDB, MariaDBPair, eventually, install, prepared
from tests.support.selection import impossible_here

VERSIONS = {
    "10.5": ("bullseye", ["mariadb-server-core-10.5", "mariadb-client-core-10.5"]),
    "11.8": ("trixie", ["mariadb-server-core", "mariadb-client-core"]),
}
PROGRAMS = ("usr/sbin/mariadbd", "usr/bin/my_print_defaults", "usr/bin/resolveip")


def unpacked_root(version: str) -> Path:
    """The folder with that MariaDB in it; without one the test is skipped, saying why."""
    suite, packages = VERSIONS[version]
    try:
        return unpacked.root(suite, packages, PROGRAMS)
    except unpacked.Unavailable as error:
        impossible_here(f"MariaDB {version}: Debian's {suite} no longer gives it: {error}")


class UnpackedMariaDB(MariaDB):
    """One server of another version; the faults and questions are those of ``MariaDB``."""

    def __init__(self, folder: Path, server_id: int, root: Path, options: Sequence[str]) -> None:
        super().__init__(folder, server_id)
        self._root = root
        share = next(root.glob("usr/share/*/english/errmsg.sys")).parent.parent
        self._options += [
            f"basedir={root / 'usr'}",
            f"lc-messages-dir={share}",
            f"character-sets-dir={share / 'charsets'}",
            f"plugin-dir={root / 'usr/lib/mysql/plugin'}",
            *options,
        ]

    def program(self) -> str:
        return str(self._root / PROGRAMS[0])


@contextmanager
def pair(version: str, grants: Sequence[str], options: Sequence[str] = ()) -> Iterator[MariaDBPair]:
    """A replicating pair of that version whose monitoring account has exactly ``grants``."""
    root = unpacked_root(version)
    with tempfile.TemporaryDirectory(prefix="sgv-", ignore_cleanup_errors=True) as made:
        base = Path(made)
        base.chmod(0o755)
        folders = [base / "db1", base / "db2"]
        folders[0].mkdir()
        install(folders[0], root / "usr")
        shutil.copytree(folders[0], folders[1])
        prepared(folders[1])
        running = [UnpackedMariaDB(each, i, root, options) for i, each in enumerate(folders, 1)]
        try:
            for server in running:
                server.start()
            both = MariaDBPair(*running)
            both.replicate()
            both.primary.grant_monitor(grants)
            both.primary.sql("CREATE DATABASE app")
            eventually(both.caught_up, "the account and the schema are on the replica")
            yield both
        finally:
            for server in reversed(running):
                server.stop()
