"""The same tests on the official image, if a container engine is enabled."""

from __future__ import annotations

from dataclasses import replace

import psycopg2
import pytest

from probes import Secret, Target
from probes.postgresql.connection.availability import PROBE
from probes.registry import engine
from tests.probes.postgresql.asking import values
from tests.servers import containers, postgresql

pytestmark = [pytest.mark.servers, pytest.mark.container]


def test_the_official_image_is_up_under_the_granted_account() -> None:
    with containers.container() as superuser:
        assert superuser.password is not None
        connection = psycopg2.connect(
            host=superuser.host,
            port=superuser.port,
            user=superuser.user,
            password=superuser.password.reveal(),
            dbname=superuser.database,
        )
        with connection, connection.cursor() as cursor:
            for grant in engine("postgresql").base_grants:
                cursor.execute(grant.sql.format(user=postgresql.MONITOR))
            cursor.execute(
                f"alter role {postgresql.MONITOR} password '{postgresql.MONITOR_PASSWORD}'"
            )
        connection.close()
        address = replace(
            superuser, user=postgresql.MONITOR, password=Secret(postgresql.MONITOR_PASSWORD)
        )
        assert values(PROBE, Target("container", "postgresql", address))["up"] == 1
