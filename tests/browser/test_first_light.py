"""A real database fails, and five people bring the incident to a signed letter in a browser.

``sigap demo`` runs as a user runs it, the fault is caused and healed from a second terminal, the
incident opens by itself, /metrics shows it, and the ledger verifies at the end.
"""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
import threading
from base64 import b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from agent.demo.people import STAFF
from agent.demo.servers.ports import free_port
from tests.agent.demo.places import demo_folder
from tests.browser import story
from tests.browser.chromium import browser
from tests.browser.sitter import Account
from tests.support.used import note
from tests.support.wait import until

SHOTS = Path(__file__).resolve().parents[2] / "build" / "screenshots" / "first-light"

pytestmark = [pytest.mark.browser, pytest.mark.servers, pytest.mark.slow, pytest.mark.timeout(600)]


class Demo:
    """``sigap demo`` in one terminal, and a second terminal beside it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port = free_port()
        self.base_url = f"http://127.0.0.1:{self.port}"
        self.said = ""
        self._up = threading.Event()
        self.process = subprocess.Popen(
            [*SIGAP, "demo", "--dir", str(folder), "--port", str(self.port)],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        threading.Thread(target=self._read, daemon=True).start()
        assert self._up.wait(120), self.said
        assert self.process.poll() is None, self.said

    def _read(self) -> None:
        assert self.process.stdout is not None
        with self.process.stdout as said:
            for line in said:
                self.said += line
                if line.startswith("Ctrl-C"):
                    self._up.set()
        self._up.set()

    def sigap(self, *words: str) -> str:
        """What a command prints in the second terminal; it must succeed."""
        done = subprocess.run([*SIGAP, *words], capture_output=True, text=True, timeout=120)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def accounts(self) -> dict[str, Account]:
        """The five people with the passwords that were printed once."""
        found = {}
        for role, person in STAFF:
            printed = re.search(rf"^  {role}  {person.username} +(\S+)", self.said, re.MULTILINE)
            assert printed, self.said
            found[role] = Account(person.username, printed[1], person.name)
        return found

    def get(self, path: str, account: Account | None = None) -> str:
        """A page, asked for as a program does."""
        headers = {}
        if account is not None:
            pair = f"{account.username}:{account.password}".encode()
            headers["authorization"] = f"Basic {b64encode(pair).decode()}"
        connection = HTTPConnection("127.0.0.1", self.port, timeout=10)
        try:
            connection.request("GET", path, headers=headers)
            answer = connection.getresponse()
            text = answer.read().decode()
        finally:
            connection.close()
        assert answer.status == 200, (answer.status, text)
        return text

    def metric(self, name: str, **labels: str) -> float:
        """The present value of one series; it must be there."""
        text = self.get("/metrics")
        for family in text_string_to_metric_families(text):
            for sample in family.samples:
                if sample.name == name and sample.labels == labels:
                    return float(sample.value)
        raise AssertionError(f"/metrics has no {name}{labels}")

    def incidents(self) -> list[dict[str, Any]]:
        config = str(self.folder / "agent.yaml")
        told: Any = json.loads(self.sigap("incidents", "list", "--json", "-c", config))
        return list(told["incidents"] if isinstance(told, dict) else told)


SIGAP = (sys.executable, "-m", "agent")


@contextmanager
def running_demo() -> Iterator[Demo]:
    with demo_folder() as folder:
        demo = Demo(folder)
        try:
            yield demo
        finally:
            demo.process.send_signal(signal.SIGINT)
            assert demo.process.wait(60) == 0, demo.said


def test_from_a_real_database_failing_to_a_signed_letter() -> None:
    with running_demo() as demo:
        where = ("--dir", str(demo.folder))
        config = ("-c", str(demo.folder / "agent.yaml"))
        demo.sigap("people", "assign", "rina", "PW", "--basis", "plt", "--letter", "800/1", *config)
        assert demo.incidents() == []

        demo.sigap("demo", "break", "lock", "--target", "simpeg-primary", *where)
        until(
            "an incident",
            lambda: demo.metric("sigap_incidents_open", step="1", severity="critical") == 1,
        )
        (opened,) = demo.incidents()
        assert "impor_gaji" in json.dumps(opened["title"])

        def between(step: int) -> None:
            if step == 4:
                demo.sigap("demo", "heal", "lock", "--target", "simpeg-primary", *where)
                until("the healing was seen", lambda: not told_red(demo, opened["number"]), 60)

        with browser() as running:
            note("Chromium", running.version)
            number = story.tell(
                running, demo.base_url, demo.accounts(), between, SHOTS, deputy=True
            )
        assert number == opened["number"]
        until(
            "the closing",
            lambda: demo.metric("sigap_incidents_closed_total", outcome="resolved") == 1,
        )
        assert demo.metric("sigap_step_visits_total", step="5", verdict="approve") == 2
        assert demo.metric("sigap_sla_overall_closed_total", result="met") == 1
        assert demo.metric("sigap_ledger_head_sequence") > 14
        assert "the ledger is whole" in demo.sigap("verify", *config, "--lang", "en")


def told_red(demo: Demo, number: str) -> bool:
    """Whether any probe still reports it, according to the API for the head of agency."""
    told = demo.get(f"/api/v1/incidents/{number}", demo.accounts()["KD"])
    return any(finding["severity"] != "clear" for finding in json.loads(told)["findings"])
