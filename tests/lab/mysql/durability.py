"""Commits that hang while queries still work; certificates that expire."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

from probes import registry
from tests.lab.backups import every_night, fault, not_since_friday
from tests.lab.mysql.world import World
from tests.lab.scenario import PRIMARY, Break, Fault
from tests.servers.certificates import certify, issue, ssl_options
from tests.servers.mariadb import MONITOR, eventually


def canary_lines(flavour: str) -> list[str]:
    """What ``sigap grants ENGINE --canary`` prints."""
    return [
        grant.sql.format(user=f"'{MONITOR}'@'%'")
        for grant in registry.engine("mysql").options["canary"]
        if grant.flavour == flavour
    ]


@contextmanager
def canary(world: World) -> Iterator[None]:
    """The table, by the very lines ``sigap grants mysql --canary`` prints."""
    world.primary.sql(*canary_lines(world.flavour))
    world.wait_whole()
    try:
        yield
    finally:
        world.primary.sql(
            f"REVOKE SELECT, INSERT, UPDATE ON sigap.heartbeat FROM '{MONITOR}'@'%'",
            "DROP DATABASE sigap",
        )
        world.wait_whole()


@contextmanager
def backup_holds_writes(world: World) -> Iterator[None]:
    """A backup took the global read lock and never released it: reads work as before."""
    with world.primary.admin() as backup, backup.cursor() as cursor:
        cursor.execute("FLUSH TABLES WITH READ LOCK")
        yield


@contextmanager
def encrypted(world: World) -> Iterator[None]:
    """TLS with a certificate that is good for a year."""
    issue(world.primary.folder, 400)
    with world.primary.restarted_with(*ssl_options(world.primary)):
        world.go_on()
        yield
    world.go_on()


@contextmanager
def certificate_ends_tomorrow(world: World) -> Iterator[None]:
    certify(world.primary, 1)
    yield
    certify(world.primary, 400)


@contextmanager
def certificate_expired(world: World) -> Iterator[None]:
    """It ends while the server has it loaded: MySQL 9 would not load one that has ended."""
    ends = certify(world.primary, 5 / 86400)
    eventually(lambda: datetime.now(UTC) > ends + timedelta(seconds=1), "the certificate ends")
    yield
    certify(world.primary, 400)


def _certificate(inject: Break[World], *words: str) -> Fault[World]:
    return Fault(
        f"durability/{inject.__name__}", "mysql", inject, PRIMARY,
        "tls_certificate", "tls_certificate_expires_in_seconds", "certificate",
        ("certificate of primary", *words), given=encrypted,
    )  # fmt: skip


FAULTS: tuple[Fault[World], ...] = (
    Fault(
        "durability/canary_waits_for_a_backup", "mysql", backup_holds_writes, PRIMARY,
        "write_canary", "canary_ok", "availability", ("a test write does not finish",),
        given=canary,
    ),
    _certificate(certificate_ends_tomorrow, "expires in"),
    _certificate(certificate_expired, "expired"),
    fault(
        "too_old", "mysql", not_since_friday, every_night, "the last backup", "cadangan", "4 d",
    ),
)  # fmt: skip
