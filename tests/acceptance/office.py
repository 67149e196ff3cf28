"""A running daemon with people, used through command line and HTTP."""

from __future__ import annotations

import base64
import json
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.support.agent import Agent, sigap

PASSWORD = "kunci-Rumah-9"
CAST = {"budi": "PP", "ani": "PA"}
FIRST_FORM = {
    "title": "SIMPEG terkunci",
    "source": "person",
    "reported_at": "2026-11-23T08:05:00+08:00",
    "application": "SIMPEG",
    "agency": "BKD",
    "description": "Sesi menahan sesi lain.",
    "impact": "Pegawai tidak dapat menyimpan.",
}
"""Good enough to approve step 1."""


def add_people(folder: Path, *names: str) -> None:
    """The cast, or those of it who are named, each with a role."""
    for name, role in CAST.items():
        if names and name not in names:
            continue
        said(sigap("people", "add", name, "--name", name.title(), folder=folder, stdin=PASSWORD))
        said(sigap("people", "assign", name, role, folder=folder))


def said(done: subprocess.CompletedProcess[str]) -> str:
    """What a command printed that went well."""
    assert done.returncode == 0, done.stderr
    return done.stdout


def one_sentence(done: subprocess.CompletedProcess[str], code: int = 1) -> str:
    """The one line on standard error of a command that did not go well."""
    assert done.returncode == code, (done.returncode, done.stdout, done.stderr)
    assert "Traceback" not in done.stdout + done.stderr
    (line,) = done.stderr.strip().splitlines()
    assert line.startswith("sigap: ") and len(line) > 30, line
    return line


@dataclass(frozen=True)
class Office:
    """The daemon as a signed-in person uses it."""

    agent: Agent

    def api(
        self, method: str, path: str, body: Any = None, user: str = "budi", **headers: str
    ) -> tuple[int, Any]:
        """Status and JSON; ``body`` goes as JSON unless it is bytes already."""
        sent = body if isinstance(body, bytes) else json.dumps(body).encode() if body else b""
        basic = base64.b64encode(f"{user}:{PASSWORD}".encode()).decode()
        given = {"authorization": f"Basic {basic}", "content-type": "application/json"}
        status, text = self.agent.send(
            method, f"/api/v1{path}", given | {k.replace("_", "-"): headers[k] for k in headers},
            sent,
        )  # fmt: skip
        assert "Traceback" not in text
        return status, json.loads(text)

    def refused(
        self, method: str, path: str, body: Any = None, user: str = "budi", **headers: str
    ) -> tuple[int, dict[str, Any]]:
        """Status and error of a request that must be refused: one sentence in each language."""
        status, told = self.api(method, path, body, user, **headers)
        assert 400 <= status < 500, (status, told)
        error: dict[str, Any] = told["error"]
        for language in ("message", "message_id"):
            sentence = error[language]
            assert sentence.strip() and "\n" not in sentence and sentence.endswith("."), sentence
        return status, error

    def report(self, title: str = "SIMPEG lambat") -> str:
        """The number of a new incident."""
        status, told = self.api("POST", "/incidents", {"title": title})
        assert status == 201, told
        return str(told["number"])

    def version(self, number: str) -> int:
        return int(self.api("GET", f"/incidents/{number}")[1]["version"])

    def sign_wish(self, number: str, **changes: Any) -> dict[str, Any]:
        """A good signature of step 1."""
        wish = {"step": 1, "decision": "approve", "form": FIRST_FORM}
        return wish | {"version": self.version(number)} | changes
