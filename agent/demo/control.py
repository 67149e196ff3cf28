"""Control socket of the running demo: one line of JSON each way, over a Unix socket.

Only the user who runs the demo (and root) may connect. If no demo runs, the error is one sentence.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import socket
import socketserver
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from agent.demo.errors import DemoError
from probes import Text

log = logging.getLogger("sigap.demo")

REQUEST_LIMIT = 4096
ANSWER_SECONDS = 90.0  # healing may wait for a server to start or a replica to be copied
Handle = Callable[[Mapping[str, Any]], Mapping[str, Any]]


class Control:
    """The listening side."""

    def __init__(self, path: Path, handle: Handle) -> None:
        """``handle`` answers one request; a ``DemoError`` it raises is sent as a refusal."""
        path.unlink(missing_ok=True)
        mask = os.umask(0o177)  # the socket is born closed to others
        try:
            self._server = _Server(str(path), handle)
        finally:
            os.umask(mask)
        self._path = path

    def start(self) -> None:
        threading.Thread(
            target=self._server.serve_forever, args=(0.2,), name="demo control", daemon=True
        ).start()

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._path.unlink(missing_ok=True)


class _Server(socketserver.ThreadingUnixStreamServer):
    daemon_threads = True
    block_on_close = False

    def __init__(self, path: str, handle: Handle) -> None:
        self.handle = handle
        super().__init__(path, _Request)


class _Request(socketserver.StreamRequestHandler):
    timeout = 10

    def handle(self) -> None:
        assert isinstance(self.server, _Server)  # noqa: S101 - only _Server makes these; for types
        try:
            request = json.loads(self.rfile.readline(REQUEST_LIMIT))
            if not isinstance(request, dict):
                raise ValueError("not an object")
            answer = {"ok": True, **self.server.handle(request)}
        except DemoError as error:
            answer = {"ok": False, **error.reason.recorded}
        except (ValueError, OSError) as error:
            log.warning("unreadable request on the control socket: %s", error)
            answer = {"ok": False, **Text("Unreadable request.").recorded}
        except Exception as error:  # the caller must get every error
            log.exception("demo command failed unexpectedly; please report this")
            said = " ".join(str(error).split()) or type(error).__name__
            refusal = Text("The demo could not do that ({words}). Try once more.", words=said)
            answer = {"ok": False, **refusal.recorded}
        with contextlib.suppress(OSError):  # the caller may have disconnected
            self.wfile.write(json.dumps(answer).encode() + b"\n")


def ask(path: Path, request: Mapping[str, Any]) -> dict[str, Any]:
    """Ask the running demo; raises ``DemoError`` when none runs here or it refuses."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(ANSWER_SECONDS)
        try:
            connection.connect(str(path))
        except PermissionError:
            raise DemoError(
                Text(
                    "The demo in {parent} was started by another user; run this command "
                    "as that user.",
                    parent=path.parent.parent,
                )
            ) from None
        except OSError:
            raise DemoError(not_running(path)) from None
        try:
            connection.sendall(json.dumps(request).encode() + b"\n")
            line = connection.makefile("rb").readline()
        except TimeoutError:
            raise DemoError(
                Text(
                    "The demo did not answer within {answer_seconds:.0f} s. Try again, "
                    "or restart the demo.",
                    answer_seconds=ANSWER_SECONDS,
                )
            ) from None
        except OSError:
            line = b""
    if not line:  # it ended meanwhile
        raise DemoError(not_running(path))
    answer = json.loads(line)
    if not answer.pop("ok"):
        raise DemoError(Text.written(answer))
    return dict(answer)


def not_running(path: Path) -> Text:
    """The sentence for a demo that does not run."""
    home = path.parent.parent
    return Text(
        "No demo runs in {home}. Start one with `sigap demo` in another terminal, or "
        "name its folder with --dir.",
        home=home,
    )
