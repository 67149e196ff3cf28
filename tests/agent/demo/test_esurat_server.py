"""A MariaDB server of the demo keeps to its own folders."""

from __future__ import annotations

import os
from pathlib import Path

from agent.demo.scene.esurat_server import EsuratServer
from agent.demo.servers.account import choose


def test_temporary_tables_are_kept_where_no_other_server_removes_them(open_folder: Path) -> None:
    # a MariaDB that starts removes the temporary tables it finds in its tmpdir, whosever they are
    data = open_folder / "data" / "esurat-primary"
    data.parent.mkdir()
    programs = Path("/usr/sbin/mariadbd"), Path("/usr/bin/mariadb-install-db")
    log, account = open_folder / "log", choose(os.geteuid())
    server = EsuratServer(
        "esurat-primary", 1, programs, data, open_folder, open_folder, log, account, 3306, "x"
    )
    server.configure(read_only=False)
    (line,) = [
        each for each in server.settings.read_text().splitlines() if each.startswith("tmpdir")
    ]
    folder = Path(line.partition(" = ")[2])
    assert folder.is_dir()
    assert folder.is_relative_to(open_folder)
    assert folder.stat().st_uid == account.uid
