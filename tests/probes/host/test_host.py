"""Memory, kills, load and clock of this host, and their arithmetic."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import psutil
import pytest

from probes import Address, FailureKind, Measurement, Probe, ProbeError, Target
from probes.host import clock, load, memory, oom_kills
from probes.host.clock import kernel_clock, stepped, timesyncd_clock
from probes.host.load import iowait_ratio
from probes.host.oom_kills import count_in, measured
from probes.host.pressure import parsed, pressure
from probes.host.uptime import uptime_seconds
from probes.model import Memory
from probes.runner import HostView
from probes.wire import deadline
from tests.servers.machine import until
from tests.support.evidence import all_told
from tests.support.selection import impossible_here
from tests.support.words import both

ALL = (clock.PROBE, load.PROBE, memory.PROBE, oom_kills.PROBE)


def here(host: str = "db01") -> Target:
    return Target("t", "postgresql", Address("127.0.0.1", 5432, "sigap"), host=host)


def read(probe: Probe, kept: Memory | None = None) -> dict[str, Measurement]:
    with deadline.within(10):
        view = HostView(here(), {}, kept or Memory())
        return {m.measure: m for m in probe.read(view)}


@pytest.mark.parametrize("probe", ALL, ids=lambda probe: probe.name)
def test_a_server_on_another_host_is_not_judged_by_this_one(probe: Probe) -> None:
    with pytest.raises(ProbeError) as caught:
        list(probe.read(HostView(here(host=""), {}, Memory())))
    assert caught.value.failure.kind is FailureKind.UNSUPPORTED


@pytest.mark.parametrize("probe", ALL, ids=lambda probe: probe.name)
def test_what_is_read_is_declared(probe: Probe) -> None:
    kept = Memory()
    read(probe, kept)
    assert set(read(probe, kept)) <= {measure.name for measure in probe.measures}


# -- memory --------------------------------------------------------------------------------------


def test_available_memory_is_the_kernels_own_figure() -> None:
    found = read(memory.PROBE)
    kernel = int(Path("/proc/meminfo").read_text().split("MemAvailable:")[1].split()[0]) * 1024
    assert found["host_memory_available_bytes"].value == pytest.approx(kernel, rel=0.1)
    assert 0 < found["host_memory_available_ratio"].value <= 1


@pytest.mark.parametrize(("total", "used", "ratio"), [(8, 2, 0.25), (0, 0, None)])
def test_swap_is_told_where_there_is_any(
    monkeypatch: pytest.MonkeyPatch, total: int, used: int, ratio: float | None
) -> None:
    swap = SimpleNamespace(total=total, used=used)
    monkeypatch.setattr(psutil, "swap_memory", lambda: swap)
    found = read(memory.PROBE).get("host_swap_used_ratio")
    assert (found.value if found is not None else None) == ratio


def test_the_largest_process_comes_first_as_evidence() -> None:
    (table,) = all_told(memory.exhibits(HostView(here(), {}, Memory())))
    largest = max(each.memory_info().rss for each in psutil.process_iter())
    first = psutil.Process(int(table.rows[0][0])).memory_info().rss
    assert first == pytest.approx(largest, rel=0.2)
    assert len(table.rows) <= 10


# -- kills ---------------------------------------------------------------------------------------


@pytest.fixture
def tight() -> Iterator[Path]:
    """A control group of 32 MB whose members are killed beyond it; yields its list of members."""
    if os.geteuid() != 0:
        pytest.fail("this test makes a control group: run it as root, or with -m 'not root'")
    top = Path("/sys/fs/cgroup")
    old = (top / "memory").is_dir()
    folder = (top / "memory" if old else top) / f"sigap-test-{os.getpid()}"
    try:
        folder.mkdir()
        (folder / ("memory.limit_in_bytes" if old else "memory.max")).write_text("32M")
    except OSError as error:
        if folder.is_dir():
            folder.rmdir()
        impossible_here(f"control groups cannot be made here: {error}")
    try:
        yield folder / "cgroup.procs"
    finally:
        until(lambda: not (folder / "cgroup.procs").read_text(), "the group being empty")
        folder.rmdir()


@pytest.mark.root
def test_a_real_kill_for_want_of_memory_is_counted(tight: Path) -> None:
    kept = Memory()
    assert read(oom_kills.PROBE, kept)["host_oom_kills"].value == 0
    program = (
        f"import os; open({str(tight)!r}, 'w').write(str(os.getpid()))\n"
        "eaten = [bytearray(b'x' * (1 << 20)) for _ in range(512)]\n"
    )
    done = subprocess.run([sys.executable, "-c", program], check=False)
    assert done.returncode == -signal.SIGKILL
    assert read(oom_kills.PROBE, kept)["host_oom_kills"].value >= 1


def test_kills_are_forgotten_after_an_hour_and_not_before() -> None:
    kept = Memory()
    assert measured(7, 100.0, kept).value == 0  # what was before is of no use
    assert measured(9, 130.0, kept).value == 2
    for uptime in range(160, 3600, 30):
        assert measured(9, float(uptime), kept).value == 2
    assert measured(9, 3740.0, kept).value == 0
    assert len(kept.of(oom_kills.SEEN, [])) < 6


def test_a_boot_begins_the_count_anew() -> None:
    kept = Memory()
    measured(40, 90_000.0, kept)
    assert measured(0, 30.0, kept).value == 0
    assert measured(1, 60.0, kept).value == 1


def test_a_kernel_that_does_not_count_is_blind() -> None:
    with pytest.raises(ProbeError) as caught:
        count_in("nr_free_pages 1\n")
    assert caught.value.failure.kind is FailureKind.BLIND


# -- load ----------------------------------------------------------------------------------------


def test_iowait_is_the_share_since_the_last_reading() -> None:
    kept = Memory()
    assert iowait_ratio(10.0, 1000.0, kept) is None
    assert iowait_ratio(13.0, 1010.0, kept) == pytest.approx(0.3)
    assert iowait_ratio(12.9, 1020.0, kept) == 0.0  # the kernel's counter may slip back
    assert iowait_ratio(12.9, 1020.0, kept) is None


def test_load_is_told_per_processor() -> None:
    found = read(load.PROBE)["host_load_ratio"]
    assert found.value == pytest.approx(os.getloadavg()[1] / (os.cpu_count() or 1), abs=0.3)


def test_load_is_written_in_the_manner_of_each_language(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "getloadavg", lambda: (1.0, 5.46, 3.0))
    told = read(load.PROBE)["host_load_ratio"].detail["load"]
    assert told == both("5,5", "5.5")


def test_pressure_is_the_minute_of_the_kernels_line() -> None:
    text = (
        "some avg10=9.00 avg60=12.50 avg300=1.00 total=5\n"
        "full avg10=0.00 avg60=2.25 avg300=0.00 total=1\n"
    )
    found = parsed(text)
    assert found is not None
    assert (found.some, found.full) == (0.125, 0.0225)
    assert parsed("") is None


def test_a_kernel_without_pressure_has_no_figure_rather_than_zero(tmp_path: Path) -> None:
    assert pressure("memory", tmp_path) is None


# -- clock ---------------------------------------------------------------------------------------


def test_the_kernel_says_how_wrong_its_clock_may_be() -> None:
    found = kernel_clock()
    assert found is not None
    assert found.worst_error_seconds is not None
    # The kernel grows the error to 16 s and then calls the clock unsynchronised.
    assert found.synchronised == (found.worst_error_seconds < 16)


def test_a_jump_of_the_clock_is_told_for_ten_minutes() -> None:
    kept = Memory()
    assert stepped(1_000_000.0, 500.0, kept) == 0
    assert stepped(1_000_060.0, 560.0, kept) == 0
    assert stepped(1_003_720.0, 620.0, kept) == pytest.approx(3600)
    assert stepped(1_003_780.0, 680.0, kept) == pytest.approx(3600)
    assert stepped(1_004_420.0, 1320.0, kept) == 0


def test_a_jump_backwards_is_one_too() -> None:
    kept = Memory()
    stepped(1_000_000.0, 500.0, kept)
    assert stepped(999_970.0, 530.0, kept) == pytest.approx(60)


def test_a_reading_that_came_late_is_no_jump() -> None:
    kept = Memory()
    stepped(1_000_000.0, 500.0, kept)
    assert stepped(1_090_000.0, 90_500.0, kept) == 0


def test_timesyncd_counts_while_it_goes_on_agreeing(tmp_path: Path) -> None:
    mark = tmp_path / "synchronized"
    assert timesyncd_clock(time.time(), mark) is None
    mark.touch()
    now = time.time()
    fresh, stale = timesyncd_clock(now, mark), timesyncd_clock(now + 4 * 3600, mark)
    assert fresh is not None and fresh.synchronised
    assert stale is not None and not stale.synchronised


def test_where_nobody_may_be_asked_the_clock_is_blind_and_not_right(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """As in a unit with ProtectClock=yes beside chrony."""
    monkeypatch.setattr(clock, "kernel_clock", lambda: None)
    monkeypatch.setattr(clock, "timesyncd_clock", lambda now: None)
    with pytest.raises(ProbeError) as caught:
        read(clock.PROBE)
    assert caught.value.failure.kind is FailureKind.BLIND
    assert "ProtectClock=no" in caught.value.failure.hint.en


def test_uptime_is_the_hosts() -> None:
    assert uptime_seconds() == pytest.approx(
        float(Path("/proc/uptime").read_text().split()[0]), abs=1
    )
