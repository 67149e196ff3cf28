"""The same probes on the vendors' own images; enabled with SIGAP_TEST_DOCKER=1.

Opt-in because a container engine and an image registry are needed; with it set and no engine, it
fails.
"""

from __future__ import annotations

from urllib.parse import urlsplit

import pymysql
import pytest

from probes import Address, Secret, Target, registry
from probes.runner import Owner
from tests.probes.mysql.asking import BUDGET, NOW
from tests.probes.mysql.conftest import declared_grants
from tests.servers.mariadb import MONITOR, MONITOR_PASSWORD

pytestmark = [
    pytest.mark.servers,
    pytest.mark.slow,
    pytest.mark.timeout(600),
    pytest.mark.container,
]


@pytest.mark.parametrize(
    ("image", "flavour"),
    [
        ("mysql:8.0", "mysql"),
        ("mysql:8.4", "mysql"),
        ("mysql:9", "mysql"),
        ("mariadb:11", "mariadb"),
    ],
)
def test_every_probe_reads_the_vendors_image(image: str, flavour: str) -> None:
    from testcontainers.community.mysql import MySqlContainer  # slow to import, and only used here

    with MySqlContainer(image, root_password="akar") as running:
        where = urlsplit(running.get_connection_url())
        host, port = where.hostname or "127.0.0.1", where.port or 3306
        with (
            pymysql.connect(host=host, port=port, user="root", password="akar") as root,
            root.cursor() as cursor,
        ):
            for line in declared_grants(flavour):
                cursor.execute(line.format(user=f"'{MONITOR}'@'%'"))
            cursor.execute(f"ALTER USER '{MONITOR}'@'%' IDENTIFIED BY '{MONITOR_PASSWORD}'")
        address = Address(
            host, port, MONITOR, password=Secret(MONITOR_PASSWORD), options={"ssl": "preferred"}
        )
        target = Target("db", "mysql", address, role="primary")
        asked = [each for each in registry.probes_for("mysql") if each.engine == "mysql"]
        owner = Owner(target, registry.engine("mysql"), BUDGET)
        try:
            for reading in owner.round(asked, lambda: NOW):
                assert reading.failure is None, reading.failure
        finally:
            owner.drop()
