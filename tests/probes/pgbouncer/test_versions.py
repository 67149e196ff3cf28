"""Columns of newer versions that Debian's 1.18 does not have.

Columns as in src/admin.c of 1.24.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from probes import Measurement, Probe, Row, Shared, Target
from probes.model import Address, Memory
from probes.pgbouncer import clients, paused, pools, servers

POOL: Row = {
    "database": "simpeg", "user": "petugas", "cl_active": 3, "cl_waiting": 4,
    "cl_active_cancel_req": 0, "cl_waiting_cancel_req": 0, "sv_active": 3, "sv_active_cancel": 0,
    "sv_being_canceled": 0, "sv_idle": 0, "sv_used": 0, "sv_tested": 0, "sv_login": 0,
    "maxwait": 12, "maxwait_us": 500000, "pool_mode": "session", "load_balance_hosts": None,
}  # fmt: skip
DATABASE: Row = {
    "name": "simpeg", "host": "10.0.0.5", "port": 5432, "database": "simpeg", "force_user": None,
    "pool_size": 20, "min_pool_size": 0, "reserve_pool_size": 1, "server_lifetime": 3600,
    "pool_mode": None, "load_balance_hosts": None, "max_connections": 0, "current_connections": 3,
    "max_client_connections": 8, "current_client_connections": 7, "paused": 0, "disabled": 0,
}  # fmt: skip
USER: Row = {
    "name": "petugas", "pool_size": "        2", "reserve_pool_size": "", "pool_mode": None,
    "max_user_connections": 0, "current_connections": 3,
    "max_user_client_connections": 10, "current_client_connections": 7,
}  # fmt: skip
CLIENTS: tuple[Row, ...] = (
    {"state": "waiting", "wait": 0, "wait_us": 0,
     "connect_time": "2026-11-26 16:00:00 WITA", "request_time": "2026-11-26 16:00:00 WITA"},
    {"state": "waiting", "wait": 3, "wait_us": 0,
     "connect_time": "2026-11-26 07:00:00 WITA", "request_time": "2026-11-26 16:00:04 WITA"},
    {"state": "active", "wait": 900, "wait_us": 0,
     "connect_time": "2026-11-26 15:00:00 WITA", "request_time": "2026-11-26 16:00:07 WITA"},
)  # fmt: skip
"""One that is logging in, one that has asked for 3 s, and the console, at 16:00:07."""
STATE = {"active": "yes", "paused": "no", "suspended": "no"}


class Newer:
    """A console that returns the given rows."""

    flavour, version = "pgbouncer", 12401
    phases: Mapping[str, float] = {}

    def __init__(self, pool: Mapping[str, Any] | None = None, **state: str) -> None:
        self.target = Target("pooler", "pgbouncer", Address("db01", 6432, "sigap"))
        self.memory = Memory()
        self.shared = Shared()
        self._answers: dict[str, list[Row]] = {
            "SHOW POOLS": [{**POOL, **(pool or {})}],
            "SHOW DATABASES": [DATABASE],
            "SHOW USERS": [USER],
            "SHOW STATE": [{"key": k, "value": v} for k, v in {**STATE, **state}.items()],
            "SHOW LISTS": [{"list": "used_clients", "items": 9}],
            "SHOW CONFIG": [{"key": "max_client_conn", "value": "100", "default": "100"}],
        }
        self.answer("SHOW CLIENTS", CLIENTS)

    def answer(self, sql: str, clients: Iterable[Row]) -> None:
        """What ``sql`` is answered with from now on."""
        self._answers[sql] = [{"database": "simpeg", "user": "petugas", **row} for row in clients]

    def rows(self, sql: str, parameters: tuple[object, ...] = ()) -> list[Row]:
        return self._answers[sql]


def read(probe: Probe, session: Newer) -> dict[tuple[str, str], Measurement]:
    found: Iterable[Measurement] = probe.read(session)  # type: ignore[arg-type]  # asks for rows alone
    return {(each.measure, each.subject): each for each in found}


def test_the_size_of_a_users_own_pool_wins_and_the_reserve_counts() -> None:
    waits = read(pools.PROBE, Newer())["pool_wait_seconds", "simpeg/petugas"]
    assert waits.value == 12.5
    assert waits.detail["size"] == 3
    assert getattr(waits.detail["reason"], "en", "") == (
        "all 3 server connections of the pool are in use"
    )


def test_a_limit_of_clients_of_a_database_and_of_a_user_is_told() -> None:
    found = read(clients.PROBE, Newer())
    assert found["client_limit_used_ratio", "database:simpeg"].value == 7 / 8
    assert found["client_limit_used_ratio", "user:petugas"].value == 0.7
    assert found["clients_used_ratio", ""].value == 0.09


def test_a_pause_of_everything_is_told_by_its_own_name_and_blames_no_server() -> None:
    session = Newer({"sv_active": 0}, active="no", paused="yes")
    held = read(paused.PROBE, session)["pooler_held", ""]
    assert (held.value, held.detail["word"], held.detail["waiting"]) == (1, "PAUSE", 4)
    assert read(servers.PROBE, session) == {}
    suspended = read(paused.PROBE, Newer(active="no", suspended="yes"))["pooler_held", ""]
    assert (suspended.value, suspended.detail["word"]) == (1, "SUSPEND")


def test_a_login_to_the_server_that_never_ends_is_told_as_such() -> None:
    session = Newer({"sv_active": 0, "sv_login": 1})
    served = read(servers.PROBE, session)["pool_served", "simpeg/petugas"]
    assert (served.value, served.detail["server"]) == (0, "10.0.0.5:5432")
    assert getattr(served.detail["reason"], "en", "") == "a login to it does not end"


def test_who_is_still_logging_in_has_waited_since_it_came_and_nobody_longer_than_he_asked() -> None:
    session = Newer({"maxwait": 0, "maxwait_us": 0})
    assert read(pools.PROBE, session)["pool_wait_seconds", "simpeg/petugas"].value == 7


def test_a_login_whose_last_message_came_late_has_an_age_too() -> None:
    session = Newer({"maxwait": 0, "maxwait_us": 0})
    late = {**CLIENTS[0], "request_time": "2026-11-26 16:00:02 WITA"}
    session.answer("SHOW CLIENTS", (late, *CLIENTS[1:]))
    assert read(pools.PROBE, session)["pool_wait_seconds", "simpeg/petugas"].value == 5
