"""``sigap demo`` as a process: it starts, answers a second terminal, and leaves nothing running."""

from __future__ import annotations

import json
import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import sysconfig
import threading
import time
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

import pytest

from agent.demo.home import Home, default_home, write_private
from agent.demo.servers import process
from tests.agent.demo.places import data_folders, demo_folder

pytestmark = pytest.mark.servers

REPOSITORY = Path(__file__).parents[3]
STARTED = ("-m", "agent.demo", "--servers-only", "--dir")
READY = "Ctrl-C"  # the last line of what the demo prints when it is up


class Running:
    """A demo in a process of its own."""

    def __init__(
        self,
        folder: Path,
        *options: str,
        prefix: tuple[str, ...] = (),
        environment: dict[str, str] | None = None,
    ) -> None:
        self.home = Home(folder)
        self.said: list[str] = []
        self._up = threading.Event()
        self.process = subprocess.Popen(
            [*prefix, sys.executable, *STARTED, str(folder), *options],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
            env=environment,
        )
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        with self.process.stdout as said:
            for line in said:
                self.said.append(line)
                if line.startswith(READY):
                    self._up.set()
        self._up.set()  # it ended

    def wait(self) -> Running:
        assert self._up.wait(90), "the demo did not come up"
        assert self.process.poll() is None, "".join(self.said)
        return self

    def interrupt(self, number: signal.Signals = signal.SIGINT) -> int:
        self.process.send_signal(number)
        return self.process.wait(60)

    def ports(self) -> list[int]:
        return list(self.home.read_state()["ports"].values())

    def left_behind(self) -> list[str]:
        """Processes, mounts, ports and records that should not be there any more."""
        found = [f"process {pid}" for pid in process.living_in(data_folders(self.home))]
        if str(self.home.path) in Path("/proc/self/mounts").read_text():
            found.append("mount")
        for port in self.ports():
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    found.append(f"port {port}")
        return found + [f"record {path.name}" for path in self.home.run.iterdir()]


def sigap_demo(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """The second terminal."""
    return subprocess.run(
        [sys.executable, "-m", "agent.demo", *words, "--dir", str(folder), "--lang", "en"],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


@pytest.fixture
def folder() -> Iterator[Path]:
    with demo_folder() as path:
        yield path


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_it_leaves_nothing_running_whatever_was_broken(
    folder: Path, number: signal.Signals
) -> None:
    demo = Running(folder).wait()
    for words in (
        ("break", "lock"),
        ("break", "replication", "--target", "esurat-replica"),
        ("break", "freeze", "--target", "simpeg-primary"),
        ("break", "freeze", "--target", "esurat-replica"),
        ("break", "volume"),
        ("break", "stop", "--target", "esurat-primary"),
    ):
        done = sigap_demo(folder, *words)
        assert done.returncode == 0, done.stderr
    assert demo.interrupt(number) == 0
    assert demo.left_behind() == []


def test_what_stays_is_all_in_the_folder_that_the_end_names(folder: Path) -> None:
    demo = Running(folder, "--no-mariadb", "--lang", "en").wait()
    assert demo.interrupt() == 0
    for stays in (folder / "state.json", demo.home.secrets):
        assert stays.stat().st_mode & 0o077 == 0
    assert (demo.home.server("simpeg-primary") / "PG_VERSION").exists()
    said = f"stay in {folder} for the next demo"
    assert process.wait_until(lambda: any(said in line for line in demo.said), 10.0), demo.said
    assert f"stay in {folder}" in sigap_demo(folder, "stop").stdout
    shutil.rmtree(folder)
    again = Running(folder, "--no-mariadb").wait()
    assert again.interrupt() == 0


def test_the_next_start_cleans_up_after_a_demo_that_was_killed(folder: Path) -> None:
    killed = Running(folder).wait()
    assert sigap_demo(folder, "break", "freeze", "--target", "simpeg-replica").returncode == 0
    assert sigap_demo(folder, "break", "volume").returncode == 0
    killed.interrupt(signal.SIGKILL)
    orphans = set(process.living_in(data_folders(killed.home)))
    assert orphans, "nothing was left running, so this test would prove nothing"

    demo = Running(folder).wait()
    assert not orphans & set(process.living_in(data_folders(demo.home)))
    status = sigap_demo(folder, "status")
    assert "broken:" not in status.stdout
    assert demo.interrupt() == 0
    assert demo.left_behind() == []


def test_stop_ends_a_running_demo_and_what_a_killed_one_left(folder: Path) -> None:
    demo = Running(folder).wait()
    assert "has ended" in sigap_demo(folder, "stop").stdout
    assert demo.process.wait(30) == 0
    assert demo.left_behind() == []

    demo = Running(folder).wait()
    demo.interrupt(signal.SIGKILL)
    assert process.living_in(data_folders(demo.home))
    assert "Nothing runs any more" in sigap_demo(folder, "stop").stdout
    assert demo.left_behind() == []


def test_a_second_start_is_quick_and_keeps_the_data(folder: Path) -> None:
    Running(folder).wait().interrupt()
    made = (folder / "data" / "simpeg-primary" / "PG_VERSION").stat().st_ino
    started = time.monotonic()
    demo = Running(folder).wait()
    assert time.monotonic() - started < 5.0
    assert (folder / "data" / "simpeg-primary" / "PG_VERSION").stat().st_ino == made
    demo.interrupt()


def test_fresh_forgets_the_last_demo(folder: Path) -> None:
    first = Running(folder, "--no-mariadb").wait()
    secrets = first.home.read_state()["secrets"]
    first.interrupt(signal.SIGKILL)
    demo = Running(folder, "--no-mariadb", "--fresh").wait()
    assert demo.home.read_state()["secrets"] != secrets
    demo.interrupt()
    assert demo.left_behind() == []


def test_a_power_cut_that_empties_the_small_volume_costs_a_new_cluster_and_is_said(
    folder: Path,
) -> None:
    Running(folder, "--no-mariadb").wait().interrupt()
    saved = folder / "data" / "simpeg-primary.wal"
    if not saved.is_dir():
        pytest.fail("no small volume here: run the tests as root or allow user namespaces")
    shutil.rmtree(saved)
    demo = Running(folder, "--no-mariadb").wait()
    assert any("created again" in line for line in demo.said)
    demo.interrupt()


def test_two_demos_cannot_share_a_folder(folder: Path) -> None:
    demo = Running(folder, "--no-mariadb").wait()
    second = sigap_demo(folder, "--servers-only")
    assert second.returncode == 1
    assert second.stderr.startswith(f"sigap demo: A demo already runs in {folder}")
    assert process.living_in(data_folders(demo.home)), "the second start ended the first one"
    demo.interrupt()


def test_without_a_running_demo_one_sentence_says_how_to_start_one(folder: Path) -> None:
    for words in (("status",), ("break", "lock"), ("heal", "lock")):
        done = sigap_demo(folder, *words)
        assert (done.returncode, done.stdout) == (1, "")
        assert done.stderr.startswith("sigap demo: No demo runs in ")
        assert done.stderr.count("\n") == 1


def test_a_demo_that_is_only_starting_is_told_apart_from_none(folder: Path) -> None:
    home = Home(folder)
    home.make()
    home.lock()
    try:
        done = sigap_demo(folder, "status")
    finally:
        home.unlock()
    assert done.returncode == 1
    assert "still starting or just ending" in done.stderr


def test_an_interrupted_start_leaves_nothing_behind(folder: Path) -> None:
    demo = Running(folder)
    assert process.wait_until(lambda: bool(process.living_in(data_folders(demo.home))), 60.0)
    assert demo.interrupt() == 0
    assert demo.left_behind() == []


def test_the_language_of_the_start_reaches_banner_and_second_terminal(folder: Path) -> None:
    demo = Running(folder, "--no-mariadb", "--lang", "id").wait()
    said = "".join(demo.said)
    assert "Coba dari terminal lain" in said
    assert "second terminal" not in said
    broken = subprocess.run(
        [sys.executable, "-m", "agent.demo", "break", "freeze", "--dir", str(folder)],
        env=os.environ | {"LC_ALL": "en_US.UTF-8"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert "dihentikan sementara" in broken.stdout
    demo.interrupt()


def test_an_unknown_fault_lists_the_names(folder: Path) -> None:
    done = sigap_demo(folder, "break", "earthquake")
    assert done.returncode == 1
    assert "replication, lock, freeze, volume, stop" in done.stderr


def test_a_folder_with_other_things_in_it_is_left_alone(folder: Path) -> None:
    folder.mkdir()
    (folder / "thesis.odt").write_text("years of work")
    done = sigap_demo(folder, "--servers-only", "--fresh")
    assert done.returncode == 1
    assert "has files that are not the demo's" in done.stderr
    assert [path.name for path in folder.iterdir()] == ["thesis.odt"]


def test_a_folder_too_deep_for_sockets_is_said(folder: Path) -> None:
    done = sigap_demo(folder / ("x" * 90), "--servers-only")
    assert done.returncode == 1
    assert "too long for a Unix socket" in done.stderr


def test_a_stranger_with_a_recorded_pid_is_left_alone(folder: Path) -> None:
    """A pid is used again after a restart: start time and command line must agree as well."""
    home = Home(folder)
    home.make()
    data = str(home.server("simpeg-primary"))
    idle = [sys.executable, "-c", "import sys; print('up', flush=True); sys.stdin.read()", data]
    pipe = subprocess.PIPE
    with subprocess.Popen(idle, stdin=pipe, stdout=pipe, text=True) as stranger:
        assert stranger.stdout is not None
        stranger.stdout.readline()
        record = process.Record("simpeg-primary", stranger.pid, 1, "postgres", data)
        write_private(home.run / "simpeg-primary.json", json.dumps(asdict(record)))
        assert process.sweep(home.run, data_folders(home)) == []
        assert stranger.poll() is None
        assert not (home.run / "simpeg-primary.json").exists()


def as_nobody(readable: Path) -> tuple[dict[str, str], tuple[str, ...]]:
    """Environment and command prefix that run this Python as an ordinary user.

    Root's interpreter and checkout may lie where only root may look, so both are bound to places
    below ``readable``, in a mount namespace that ends with the process.
    """
    nobody = pwd.getpwnam("nobody")
    python, checkout = readable / "python", readable / "checkout"
    python.mkdir()
    checkout.mkdir()
    packages = Path(sysconfig.get_path("purelib")).relative_to(REPOSITORY)
    environment = {
        **os.environ,
        "PYTHONHOME": str(python),
        "PYTHONPATH": f"{checkout / packages}:{checkout}",
        "LD_LIBRARY_PATH": str(python / "lib"),
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    binds = f"mount --bind {sys.base_prefix} {python} && mount --bind {REPOSITORY} {checkout}"
    who = f"setpriv --reuid={nobody.pw_uid} --regid={nobody.pw_gid} --clear-groups"
    base = Path(os.path.realpath(sys.executable)).relative_to(sys.base_prefix)
    script = f'{binds} && cd {checkout} && exec {who} {python / base} "$@"'
    return environment, ("unshare", "--mount", "sh", "-c", script)


def test_an_ordinary_user_gets_the_whole_demo_or_is_told_what_is_missing(folder: Path) -> None:
    if os.geteuid() != 0:
        demo = Running(folder).wait()
    else:
        nobody = pwd.getpwnam("nobody")
        folder.mkdir()
        os.chown(folder, nobody.pw_uid, nobody.pw_gid)
        environment, prefix = as_nobody(folder.parent)
        demo = Running(folder, prefix=prefix, environment=environment).wait()
        owners = {os.stat(f"/proc/{demo.process.pid}").st_uid}
        owners |= {os.stat(f"/proc/{p}").st_uid for p in process.living_in(data_folders(demo.home))}
        assert owners == {nobody.pw_uid}
    volume = next(
        line for line in sigap_demo(folder, "status").stdout.splitlines() if "volume" in line
    )
    told = any("`volume` is not available" in line for line in demo.said)
    assert ("simpeg-primary" in volume) is not told
    assert demo.interrupt() == 0
    assert demo.left_behind() == []


def test_roots_demo_does_not_live_in_roots_own_home() -> None:
    assert default_home({}, 0) == Path("/var/lib/sigap-demo")
    assert default_home({"SIGAP_DEMO_DIR": "/srv/demo"}, 0) == Path("/srv/demo")
    assert default_home({"XDG_STATE_HOME": "/home/rina/state"}, 1000) == Path(
        "/home/rina/state/sigap-demo"
    )
