"""E-Surat, the demo's MariaDB pair: a primary and its replica."""

from __future__ import annotations

from agent.demo.errors import DemoError
from agent.demo.scene import grants, load
from agent.demo.scene.esurat_server import REPLICATOR, EsuratServer
from agent.demo.scene.ground import MY_PRIMARY, MY_REPLICA, READY_SECONDS, Ground
from agent.demo.scene.pileup import ACCOUNTS
from agent.demo.servers import binaries, process
from probes import Text

MY_SCHEMA = (
    "CREATE DATABASE esurat CHARACTER SET utf8mb4",
    "CREATE TABLE esurat.surat_masuk (id BIGINT AUTO_INCREMENT PRIMARY KEY, "
    "perihal VARCHAR(200) NOT NULL, diterima TIMESTAMP DEFAULT CURRENT_TIMESTAMP)",
    "CREATE TABLE esurat.agenda (nomor BIGINT PRIMARY KEY, perihal VARCHAR(200) NOT NULL)",
    "INSERT INTO esurat.agenda VALUES (1, 'Rapat koordinasi')",
)
PLANTED = "ditulis langsung di replika"  # marks the row that makes MariaDB's replication stumble


class Esurat:
    """Both servers, created when missing; ``servers`` stays empty on a machine without MariaDB."""

    def __init__(self, ground: Ground) -> None:
        self._ground = ground
        self.servers: dict[str, EsuratServer] = {}

    def start(self) -> load.Load | None:
        """Start both; returns the load on the primary. Raises ``DemoError``."""
        programs = binaries.mariadb()
        if programs is None:
            self._ground.notes.append(
                Text(
                    "This machine has no MariaDB; the demo runs with PostgreSQL alone. "
                    "On Debian: apt-get install mariadb-server."
                )
            )
            return None
        primary, replica = (
            EsuratServer(
                name,
                number,
                programs,
                self._ground.home.server(name),
                self._ground.home.sockets,
                self._ground.home.run,
                self._ground.log(name),
                self._ground.account,
                self._ground.port(name),
                self._ground.secret("mariadb"),
            )
            for number, name in enumerate((MY_PRIMARY, MY_REPLICA), start=1)
        )
        self.servers = {MY_PRIMARY: primary, MY_REPLICA: replica}
        first = self._ground.state.get("mariadb") != "made" or not (primary.made and replica.made)
        if first:
            self._ground.state["mariadb"] = "unfinished"
            self._ground.remember()
            for server in (primary, replica):
                server.forget()
                server.make()
        primary.configure(read_only=False)
        replica.configure(read_only=True)
        primary.start()
        replica.start()
        if first:
            self._fill(primary)
        self.mend()
        self._ground.state["mariadb"] = "made"
        self._ground.remember()
        return load.on_mariadb(primary)

    def _fill(self, primary: EsuratServer) -> None:
        monitor = f"'{grants.USER}'@'127.0.0.1'"
        replicator = f"'{REPLICATOR}'@'127.0.0.1'"
        rights = [line.format(user=monitor) for line in grants.lines("mysql", "mariadb")]
        primary.ask(
            f"CREATE USER {replicator} IDENTIFIED BY '{self._ground.secret('replication')}'",
            f"GRANT REPLICATION SLAVE ON *.* TO {replicator}",
            *rights,
            f"ALTER USER {monitor} IDENTIFIED BY '{self._ground.secret('monitor')}'",
            *MY_SCHEMA,
        )
        password = self._ground.secret("application")
        for name in ACCOUNTS:
            primary.ask(
                f"CREATE USER {name}@localhost IDENTIFIED BY '{password}'",
                f"GRANT SELECT, UPDATE ON esurat.* TO {name}@localhost",
            )

    def mend(self) -> None:
        """Remove the conflicting row, follow the primary again and wait until both threads run."""
        primary, replica = self.servers[MY_PRIMARY], self.servers[MY_REPLICA]
        if replica.replication():
            replica.ask(
                "SET sql_log_bin = 0",
                "DELETE FROM esurat.agenda WHERE perihal = %s",
                parameters=(PLANTED,),
            )
        replica.follow(primary, self._ground.secret("replication"))
        if not process.wait_until(lambda: replica.replicates, READY_SECONDS):
            status = replica.replication()
            words = status.get("Last_SQL_Error") or status.get("Last_IO_Error") or "?"
            raise DemoError(
                Text(
                    "The MariaDB replica does not connect: {words}. `sigap demo --fresh` "
                    "creates it again.",
                    words=words,
                )
            )

    def stop(self) -> None:
        """End both, the replica first, so that the primary does not wait for it."""
        for name in (MY_REPLICA, MY_PRIMARY):
            if name in self.servers:
                self.servers[name].stop()
