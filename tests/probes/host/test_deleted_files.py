"""Deleted files of real servers: found as root, and never reported as none where they are
hidden.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

import pytest

from probes import Address, FailureKind, Measurement, ProbeError, Target
from probes.host.deleted_files import PROBE, Process, exhibits, held_by, processes
from probes.local.mounts import SHARED
from probes.model import Memory
from probes.runner import HostView
from probes.wire import deadline
from tests.probes.host.places import mounted
from tests.probes.host.test_volumes import as_user
from tests.servers import mariadb, postgresql

pytestmark = [pytest.mark.servers, pytest.mark.root]
MB = 1_000_000
DEPLOY = Path(__file__).resolve().parents[3] / "deploy"
DROP_IN = DEPLOY / "host.conf"


def read(target: Target, paths: Mapping[str, str]) -> list[Measurement]:
    with deadline.within(10):
        return list(PROBE.read(HostView(target, paths, Memory())))


def test_a_log_somebody_deleted_goes_on_growing_in_the_dark() -> None:
    with postgresql.single() as server:
        target = server.target(host="db01")
        paths = {"data": str(server.data)}
        assert sum(m.value for m in read(target, paths)) < MB
        os.unlink(server.folder / "single.log")
        server.sql("do $$ begin for n in 1..4 loop raise log '%', repeat('x', 1000000); "
                   "end loop; end $$")  # fmt: skip
        (found,) = [m for m in read(target, paths) if m.value >= 4 * MB]
        assert found.detail["largest"] == str(server.folder / "single.log")
        assert os.path.ismount(found.subject)
        with deadline.within(10):
            (table,) = exhibits(HostView(target, paths, Memory()))
        assert table.rows[0][2] == str(server.folder / "single.log")

        # Another account sees the processes and none of their files.
        home = os.stat(server.data).st_dev, os.stat(server.data).st_ino
        assert as_user("daemon", lambda: kind_of(home)) == "blind"
        assert kind_of(home) == "seen"
        # With what the drop-in of deploy/ gives, and with nothing less, it does see them.
        given = [_CAPABILITIES[name] for name in granted()]
        assert as_user("daemon", lambda: kind_of(home), given) == "seen"
        for one in given:
            fewer = [each for each in given if each != one]
            assert as_user("daemon", lambda: kind_of(home), fewer) == "blind"

        server.stop()
        with pytest.raises(ProbeError) as caught:
            read(target, paths)
        assert caught.value.failure.kind is FailureKind.UNSUPPORTED


def test_a_device_mounted_twice_is_named_by_the_mount_that_leads_to_the_file(
    tmp_path: Path,
) -> None:
    # as `ip netns add` leaves /run/netns: a folder bound onto itself, newer than every other mount
    beside = tmp_path / "beside"
    beside.mkdir()
    with postgresql.single() as server, mounted(beside, "--bind", str(beside)):
        assert os.stat(beside).st_dev == os.stat(server.folder).st_dev
        os.unlink(server.folder / "single.log")
        server.sql("do $$ begin raise log '%', repeat('x', 2000000); end $$")
        found = read(server.target(host="db01"), {"data": str(server.data)})
        with deadline.within(10):
            home = SHARED.look(str(server.data), 5).mount
    assert {m.subject for m in found} == {home}
    assert home != str(beside)
    assert sum(m.value for m in found) >= 2 * MB


_CAPABILITIES = {"CAP_DAC_READ_SEARCH": 2, "CAP_SYS_PTRACE": 19}  # linux/capability.h


def granted() -> list[str]:
    """The capabilities that the shipped drop-in gives."""
    lines = DROP_IN.read_text(encoding="utf-8").splitlines()
    (ambient,) = [each for each in lines if each.startswith("AmbientCapabilities=")]
    return ambient.partition("=")[2].split()


def test_the_line_that_mends_it_names_the_drop_in() -> None:
    with pytest.raises(ProbeError) as caught:
        held_by([Process(1, None)], (0, 0))
    assert DROP_IN.is_file()
    hint = caught.value.failure.hint
    place = f"deploy/{DROP_IN.relative_to(DEPLOY)}"
    assert place in hint.en
    assert place in hint.id


def kind_of(home: tuple[int, int]) -> str:
    """Whether the processes in ``home`` could be read."""
    try:
        held_by(processes("postgresql"), home)
    except ProbeError as error:
        return error.failure.kind.value
    return "seen"


def test_mariadb_is_known_by_its_data_directory(tmp_path: Path) -> None:
    with mariadb.servers(1) as (server,):
        log = server.folder / "data" / "umum.log"
        server.sql(f"SET GLOBAL general_log_file='{log}'", "SET GLOBAL general_log=1")
        os.unlink(log)
        server.sql("SELECT length('" + "x" * 3 * MB + "')")
        address = Address("127.0.0.1", server.port, "sigap")
        target = Target("m", "mysql", address, host="db01")
        found = read(target, {"data": str(server.folder / "data")})
        assert sum(m.value for m in found) >= 3 * MB
