"""The real ``sigap`` in a separate process, on a random port, ended by its own pid."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from probes import Target
from tests.support.wait import until

ROOT = Path(__file__).resolve().parents[2]


def environment() -> dict[str, str]:
    """Ours, without what would make the command behave as under systemd or another config."""
    left_out = ("SIGAP_", "NOTIFY_SOCKET", "WATCHDOG_", "JOURNAL_STREAM", "CREDENTIALS_DIRECTORY")
    return {k: v for k, v in os.environ.items() if not k.startswith(left_out)} | {
        "PYTHONPATH": str(ROOT),
        "PYTHONUTF8": "1",
    }


def sigap(
    *words: str, folder: Path, stdin: str = "", **variables: str
) -> subprocess.CompletedProcess[str]:
    """Run one command to its end."""
    return subprocess.run(
        [sys.executable, "-m", "agent", *words],
        cwd=folder,
        env=environment() | variables,
        input=stdin,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def target_lines(target: Target, **lines: str) -> str:
    """A target as agent.yaml writes it."""
    address = target.address
    password = f":{address.password.reveal()}" if address.password else ""
    url = f"{address.user}{password}@{address.host}:{address.port}/{address.database}"
    extra = "".join(f"    {key}: {value}\n" for key, value in lines.items())
    return f"  - name: {target.name}\n    engine: {target.engine}\n    url: {target.engine}://{url}\n{extra}"


def write_config(
    folder: Path, targets: Sequence[str], interval: str = "300ms", store: str = "sqlite:///sigap.db"
) -> Path:
    """agent.yaml in ``folder``; an empty ``store`` makes a probe-only agent."""
    file = folder / "agent.yaml"
    lines = f"agent: {{name: test, listen: '127.0.0.1:0', interval: {interval}, deadline: 300ms}}\n"
    if store:
        lines += f"store: {store}\n"
    file.write_text(lines + "targets:\n" + "".join(targets), encoding="utf-8")
    return file


class Agent:
    """A running daemon."""

    def __init__(self, file: Path, **variables: str) -> None:
        self.folder = file.parent
        self.log_file = self.folder / "agent.log"
        with self.log_file.open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "agent", "run", "-c", str(file)],
                cwd=self.folder,
                env=environment() | variables,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        self.address = until("the daemon listening", self._listening, 60)

    def _listening(self) -> str:
        if self.process.poll() is not None:
            pytest.fail(f"the daemon ended with {self.process.returncode}:\n{self.log}")
        found = re.search(r"listens on (http://\S+)", self.log)
        return found[1] if found else ""

    @property
    def log(self) -> str:
        return self.log_file.read_text(encoding="utf-8")

    def get(self, path: str, headers: Mapping[str, str] | None = None) -> tuple[int, str]:
        """Status and body."""
        return self.send("GET", path, headers)

    def send(
        self, method: str, path: str, headers: Mapping[str, str] | None = None, body: bytes = b""
    ) -> tuple[int, str]:
        """Status and body of any request; longer than a silent store may take is a failure."""
        wish = urllib.request.Request(  # noqa: S310 - our own loopback address
            self.address + path, body or None, dict(headers or {}), method=method
        )
        try:
            with urllib.request.urlopen(wish, timeout=60) as answer:  # noqa: S310 - our own loopback address
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read().decode()

    def metric(self, start: str) -> list[str]:
        """The lines of /metrics that begin with ``start``."""
        return [line for line in self.get("/metrics")[1].splitlines() if line.startswith(start)]

    def incidents(self, state: str = "open") -> list[dict[str, Any]]:
        """The output of ``sigap incidents list``."""
        done = sigap("incidents", "list", "--state", state, "--json", folder=self.folder)
        assert done.returncode == 0, done.stderr
        listed: list[dict[str, Any]] = json.loads(done.stdout)["incidents"]
        return listed

    def hang_up(self) -> None:
        self.process.send_signal(signal.SIGHUP)

    def stop(self, number: int = signal.SIGTERM, seconds: float = 10.0) -> int:
        """End it; returns the exit code."""
        if self.process.poll() is None:
            self.process.send_signal(number)
            try:
                self.process.wait(seconds)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait(10)
        return self.process.returncode


@contextmanager
def running(file: Path, **variables: str) -> Iterator[Agent]:
    """A daemon on this configuration, gone afterwards."""
    agent = Agent(file, **variables)
    try:
        yield agent
    finally:
        agent.stop()
