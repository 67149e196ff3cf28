"""The guard of `make quick`: starting a server or a browser is an error, also in a child process.

An audit hook sees every program that this process starts. Python programs started from here load
the same guard through `sitecustomize`, so that an agent in a process of its own is held to it too.
Each refusal is also written to a file: a test that swallows the error still fails the run.
"""

from __future__ import annotations

import os
import shlex
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

LOG = "SIGAP_TEST_NO_SERVERS"

SERVERS = frozenset(
    (
        *("postgres", "postmaster", "initdb", "pg_ctl", "pg_ctlcluster", "pg_basebackup"),
        *("mariadbd", "mariadbd-safe", "mysqld", "mysqld_safe", "mariadb-install-db", "garbd"),
        *("pgbouncer", "prometheus", "alertmanager", "prometheus-alertmanager", "grafana-server"),
        *("prometheus-postgres-exporter", "prometheus-mysqld-exporter"),
        *("chromium", "chromium-browser", "google-chrome", "chrome", "headless_shell"),
        *("docker", "dockerd", "containerd"),
    )
)
SHELLS = frozenset({"sh", "bash", "dash"})
STAND_INS = "/pytest-of-"  # in the path of what a test made itself, such as a renamed `sleep`
ASKS_ONLY = frozenset({"--version", "-V", "--help"})
EVENTS = frozenset({"subprocess.Popen", "os.exec", "os.posix_spawn", "os.spawn", "os.system"})

_SITE = """\
import importlib.util
_spec = importlib.util.spec_from_file_location("sigap_no_servers", {path!r})
_guard = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(_guard)
_guard.watch()
"""


class ServerStarted(BaseException):
    """A quick run started a server; no test may catch it by accident."""


def server_in(command: Iterable[object]) -> str:
    """The server program in a command line, also behind wrappers such as `runuser`; or empty.

    A word that is a path counts at any place, a bare name only as the first word.
    """
    words = [os.fsdecode(word) for word in command if isinstance(word, str | bytes | os.PathLike)]
    for place, word in enumerate(words):
        named = os.path.basename(word)
        stand_in = STAND_INS in word
        if named in SERVERS and not stand_in and (place == 0 or "/" in word):
            return "" if ASKS_ONLY & set(words[place + 1 :]) else named
    return ""


def _command(event: str, arguments: tuple[Any, ...]) -> list[object]:
    if event == "os.system":
        return list(shlex.split(os.fsdecode(arguments[0])))
    executable, command = arguments[:2] if event != "os.spawn" else arguments[1:3]
    words = [command] if isinstance(command, str | bytes | os.PathLike) else list(command or ())
    if words[1:2] == ["-c"] and os.path.basename(os.fsdecode(words[0])) in SHELLS:
        return [word for line in words[2:3] for word in shlex.split(os.fsdecode(line))]
    return [executable or words[0], *words[1:]]


def _hook(event: str, arguments: tuple[Any, ...]) -> None:
    if event in EVENTS and (found := server_in(_command(event, arguments))):
        sentence = f"{found} was about to be started in a run without servers"
        with open(os.environ[LOG], "a", encoding="utf-8") as log:
            log.write(f"{sentence} ({os.environ.get('PYTEST_CURRENT_TEST', 'no test')})\n")
        raise ServerStarted(f"{sentence}: mark the test `servers`, `browser` or `slow`")


def watch() -> None:
    """Refuse servers from now on, in this process; it cannot be undone."""
    sys.addaudithook(_hook)


def forbid() -> None:
    """Refuse servers from now on, in this process and in the Python programs it starts."""
    if LOG not in os.environ:  # a worker of pytest-xdist inherits all of it
        folder = Path(tempfile.mkdtemp(prefix="sigap-quick-"))
        site = folder / "sitecustomize.py"
        site.write_text(_SITE.format(path=str(Path(__file__).resolve())), encoding="utf-8")
        inherited = os.environ.get("PYTHONPATH")
        os.environ["PYTHONPATH"] = f"{folder}{os.pathsep}{inherited}" if inherited else str(folder)
        os.environ[LOG] = str(folder / "refused.txt")
    watch()


def refused() -> list[str]:
    """What was refused so far, in this process and below it."""
    log = os.environ.get(LOG)
    if not log or not Path(log).exists():
        return []
    return Path(log).read_text(encoding="utf-8").splitlines()
