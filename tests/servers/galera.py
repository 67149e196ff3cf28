"""Real Galera clusters for tests: MariaDB nodes of the machine's own version, on loopback.

The nodes start from copies of one installation, so that no state transfer is needed; they notice a
lost node within seconds, where Galera's defaults take fifteen.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import pymysql
import pytest

from tests.servers.machine import free_port
from tests.servers.mariadb import MariaDB, eventually, install, prepared

PROVIDERS = (
    Path("/usr/lib/galera/libgalera_smm.so"),
    Path("/usr/lib/libgalera_smm.so"),
)
_QUICK = (
    "gcache.size=8M;gcache.page_size=8M;pc.wait_prim_timeout=PT2S;pc.announce_timeout=PT1S;"
    "evs.keepalive_period=PT0.5S;evs.inactive_check_period=PT0.3S;evs.suspect_timeout=PT2S;"
    "evs.inactive_timeout=PT3S"
)


class Node(MariaDB):
    """One node; alone it would be a cluster of its own."""

    def __init__(
        self, folder: Path, number: int, port: int, peers: Sequence[int], options: Sequence[str]
    ) -> None:
        super().__init__(folder, number, options)
        self.cluster_address = "gcomm://" + ",".join(f"127.0.0.1:{each}" for each in peers)
        self._options += [
            "wsrep-on=ON",
            f"wsrep-provider={_provider()}",
            f"wsrep-cluster-address={self.cluster_address}",
            "wsrep-cluster-name=sigap-uji",
            "wsrep-sst-method=rsync",
            "default-storage-engine=InnoDB",
            "innodb-autoinc-lock-mode=2",
            "wsrep-node-address=127.0.0.1",
            f"wsrep-node-incoming-address={self.address}",
            f"wsrep-provider-options={_QUICK};gmcast.listen_addr=tcp://127.0.0.1:{port};"
            f"ist.recv_addr=127.0.0.1:{free_port()}",
        ]

    @property
    def address(self) -> str:
        """As the cluster lists it."""
        return f"127.0.0.1:{self.port}"

    def says(self, name: str) -> str:
        """A status variable; empty while it takes no question."""
        with suppress(pymysql.err.MySQLError):
            return str(self.sql(f"SHOW GLOBAL STATUS LIKE '{name}'")[0]["Value"])
        return ""

    def is_synced(self) -> bool:
        return self.says("wsrep_local_state_comment") == "Synced"

    def _answers(self) -> bool:
        """A node that joins takes logins, drops them again, and only then stays."""
        return super()._answers() and self.is_synced()

    def provide(self, option: str) -> None:
        """Change one of the provider's options."""
        self.sql(f"SET GLOBAL wsrep_provider_options = '{option}'")


@contextmanager
def nodes(count: int, options: Sequence[str] = ()) -> Iterator[list[Node]]:
    """``count`` nodes of one cluster, synced, and nothing left afterwards."""
    with tempfile.TemporaryDirectory(prefix="sgg-", ignore_cleanup_errors=True) as made:
        base = Path(made)
        base.chmod(0o755)
        folders = [base / f"db{number}" for number in range(1, count + 1)]
        folders[0].mkdir()
        install(folders[0])
        ports = [free_port() for _ in folders]
        running = [
            Node(folder, i + 1, ports[i], ports[:i], options) for i, folder in enumerate(folders)
        ]
        try:
            if count > 1:  # the first start gives the state an identity, which the others share
                running[0].start()
                running[0].stop()
                for folder in folders[1:]:
                    shutil.copytree(folders[0], folder)
                    prepared(folder)
            for node in running:
                node.start()
            whole = str(count)
            eventually(
                lambda: all(each.says("wsrep_cluster_size") == whole for each in running),
                "every node sees the others",
            )
            yield running
        finally:
            for node in reversed(running):
                node.stop()


def _provider() -> Path:
    found = next((path for path in PROVIDERS if path.exists()), None)
    if found is None:
        pytest.fail("no Galera provider; run: apt-get install galera-4", pytrace=False)
    return found
