"""Real groups of MySQL 9 for tests: Group Replication on loopback, with one primary or many.

The members start from copies of one installation, so that no state transfer is needed.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import pymysql

from tests.servers.machine import free_port
from tests.servers.mariadb import eventually
from tests.servers.mysql import MySQL, installed, unpacked_root

GROUP = "aaaaaaaa-bbbb-4ccc-8ddd-eeeeeeeeeeee"


class Member(MySQL):
    """One member; it starts outside of the group, as a person would have it."""

    def __init__(
        self, folder: Path, number: int, root: Path, port: int, seeds: Sequence[int], single: bool
    ) -> None:
        mode = "ON" if single else "OFF"
        options = [
            "report-host=127.0.0.1",
            "plugin-load-add=group_replication.so",
            f"loose-group-replication-group-name={GROUP}",
            f"loose-group-replication-local-address=127.0.0.1:{port}",
            "loose-group-replication-group-seeds=" + ",".join(f"127.0.0.1:{s}" for s in seeds),
            "loose-group-replication-start-on-boot=OFF",
            "loose-group-replication-recovery-get-public-key=ON",
            "loose-group-replication-member-expel-timeout=0",
            # the earlier a member was made, the sooner it is elected
            f"loose-group-replication-member-weight={max(10, 100 - 10 * number)}",
            f"loose-group-replication-single-primary-mode={mode}",
            f"loose-group-replication-enforce-update-everywhere-checks={'OFF' if single else 'ON'}",
            "innodb-flush-log-at-trx-commit=1",
            "sync-binlog=1",
        ]
        super().__init__(folder, number, root, options)

    @property
    def address(self) -> str:
        """As the group lists it."""
        return f"127.0.0.1:{self.port}"

    def join(self, *, first: bool = False) -> None:
        """Take part in the group, or found it, and wait until it is ONLINE."""
        if first:
            self.sql("SET GLOBAL group_replication_bootstrap_group = ON")
        self.sql("START GROUP_REPLICATION USER = 'repl', PASSWORD = 'repl-uji'")
        if first:
            self.sql("SET GLOBAL group_replication_bootstrap_group = OFF")
        eventually(lambda: self.members().get(self.address) == "ONLINE", "the member is ONLINE")

    def go_on_alone(self) -> None:
        """Take the others for dead, as a person may who knows that they are."""
        self.sql(
            "SET GLOBAL group_replication_force_members = @@group_replication_local_address",
            "SET GLOBAL group_replication_force_members = ''",
        )

    def lead(self) -> None:
        """Become the primary of its group."""
        uuid = self.sql("SELECT @@server_uuid AS u")[0]["u"]
        self.sql(f"SELECT group_replication_set_as_primary('{uuid}')")

    def is_offline(self) -> bool:
        """Whether it takes administrators only."""
        return bool(self.sql("SELECT @@global.offline_mode AS o")[0]["o"])

    def members(self) -> dict[str, str]:
        """State by address, as this member sees the group; empty while it takes no question."""
        with suppress(pymysql.err.MySQLError):
            return {
                f"{row['MEMBER_HOST']}:{row['MEMBER_PORT']}": str(row["MEMBER_STATE"])
                for row in self.sql("SELECT * FROM performance_schema.replication_group_members")
            }
        return {}


def caught_up(members: Sequence[Member]) -> None:
    """Wait until the others have applied what the first has executed."""
    done = members[0].sql("SELECT @@global.gtid_executed AS g")[0]["g"]
    for other in members[1:]:
        late = other.sql(f"SELECT wait_for_executed_gtid_set('{done}', 60) AS late")[0]["late"]
        assert late == 0, f"{other.address} has not applied everything within a minute"


@contextmanager
def members(count: int, *, single: bool = True) -> Iterator[list[Member]]:
    """``count`` members of one group, all ONLINE, the first founding it; nothing left after."""
    root = unpacked_root()
    with installed(count, "sgr-", root) as folders:
        ports = [free_port() for _ in folders]
        running = [
            Member(folder, i + 1, root, ports[i], ports, single) for i, folder in enumerate(folders)
        ]
        try:
            for member in running:
                member.start()
                with member.admin() as local, local.cursor() as cursor:
                    cursor.execute("SET sql_log_bin = 0")
                    cursor.execute("CREATE USER 'repl'@'%' IDENTIFIED BY 'repl-uji'")
                    cursor.execute(
                        "GRANT REPLICATION SLAVE, CONNECTION_ADMIN, BACKUP_ADMIN, "
                        "GROUP_REPLICATION_STREAM ON *.* TO 'repl'@'%'"
                    )
                member.join(first=member is running[0])
            yield running
        finally:
            for member in reversed(running):
                member.stop()
