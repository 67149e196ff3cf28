"""The HTTP listener for /metrics, /healthz, /readyz and, with a desk, the pages and API.

An agent without a desk serves from the standard library and imports no web framework. A port that
is in use is one sentence, before anything has started.
"""

from __future__ import annotations

import errno
import http.server
import socket
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from agent.errors import UserError
from agent.metrics.registry import CONTENT_TYPE

if TYPE_CHECKING:
    from anyio import CapacityLimiter

BACKLOG = 128
"""The standard library's default of 5 makes a scraper wait a second for the lost SYN."""

WRITTEN_AT_ONCE = 2**20
"""In bytes; each write to the kernel may release the GIL."""

SCRAPERS = 4
"""How many requests for /metrics, /healthz and /readyz are answered at the same time."""

TEXT = "text/plain; charset=utf-8"

LANDING = """<!doctype html><html lang="en"><meta charset="utf-8"><title>Sigap</title>
<h1>Sigap</h1><p>This agent records no incidents (no <code>store:</code> configured).
<ul><li><a href="/metrics">/metrics</a><li><a href="/healthz">/healthz</a>
<li><a href="/readyz">/readyz</a></ul></html>
"""


class ListenError(UserError):
    """The address cannot be listened on; one sentence."""


@dataclass(frozen=True, slots=True)
class HttpAnswer:
    """An HTTP response."""

    status: int
    body: Sequence[bytes]
    """In pieces, so that a page for thousands of targets is not copied into one string."""
    content_type: str = TEXT


Routes = Mapping[str, Callable[[], HttpAnswer]]


def routes(page: Callable[[], Sequence[bytes]], unready: Callable[[], list[str]]) -> Routes:
    """The paths that every agent answers. ``unready`` lists the loops that do not advance."""

    def ready() -> HttpAnswer:
        reasons = unready()
        if reasons:
            return HttpAnswer(503, [("not ready: " + "; ".join(reasons) + "\n").encode()])
        return HttpAnswer(200, [b"ready\n"])

    return {
        "/metrics": lambda: HttpAnswer(200, page(), CONTENT_TYPE),
        "/healthz": lambda: HttpAnswer(200, [b"ok\n"]),
        "/readyz": ready,
    }


def listen(host: str, port: int) -> socket.socket:
    """A listening socket. Raises ``ListenError`` with the next move."""
    try:
        family = socket.getaddrinfo(host or None, port, type=socket.SOCK_STREAM)[0][0]
        listener = socket.socket(family, socket.SOCK_STREAM)
    except OSError as error:
        raise ListenError(f"cannot listen on {host}:{port}: {error.strerror}") from None
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(BACKLOG)
    except OSError as error:
        listener.close()
        if error.errno == errno.EADDRINUSE:
            raise ListenError(
                f"port {port} on {host or 'every address'} is in use by another process; "
                "stop that one or choose another port under agent.listen"
            ) from None
        raise ListenError(
            f"cannot listen on {host}:{port}: {error.strerror}; check agent.listen"
        ) from None
    return listener


class HttpServer(Protocol):
    """A listener that runs in its own threads."""

    def start(self) -> None: ...
    def stop(self) -> None:
        """Ask it to end; returns at once."""
        ...

    def join(self, seconds: float) -> None: ...


class PlainServer:
    """The listener of an agent without a desk."""

    def __init__(self, listener: socket.socket, answers: Routes) -> None:
        self._server = _threading_server(listener, answers)
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(0.2,), name="http", daemon=True
        )

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        threading.Thread(target=self._server.shutdown, name="http stop", daemon=True).start()

    def join(self, seconds: float) -> None:
        self._thread.join(seconds)
        self._server.server_close()


def _threading_server(listener: socket.socket, answers: Routes) -> http.server.ThreadingHTTPServer:
    class RequestHandler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        server_version = "Sigap"
        sys_version = ""
        timeout = 30.0
        wbufsize = WRITTEN_AT_ONCE
        # Head and page are two segments; the second must not wait for the first's acknowledgement.
        disable_nagle_algorithm = True

        def do_GET(self) -> None:
            path = self.path.partition("?")[0]
            if path == "/":
                answer = HttpAnswer(200, [LANDING.encode()], "text/html; charset=utf-8")
            elif path in answers:
                answer = answers[path]()
            else:
                answer = HttpAnswer(404, [b"not found; see /\n"])
            self.send_response(answer.status)
            self.send_header("Content-Type", answer.content_type)
            self.send_header("Content-Length", str(sum(map(len, answer.body))))
            self.send_header("X-Content-Type-Options", "nosniff")
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.writelines(answer.body)
            self.wfile.flush()

        do_HEAD = do_GET  # noqa: N815 - the name the standard library looks for

        def log_message(self, format: str, *args: Any) -> None:
            """Requests are not logged."""

    server = http.server.ThreadingHTTPServer(
        listener.getsockname()[:2], RequestHandler, bind_and_activate=False
    )
    server.socket.close()
    server.socket = listener
    server.daemon_threads = True
    return server


class DeskServer:
    """The listener of an agent with a desk: pages, API and the paths above, in one application."""

    def __init__(self, listener: socket.socket, app: Any, answers: Routes) -> None:
        """``app`` is the FastAPI application of ``incidents.web``."""
        import anyio  # the desk's libraries; an agent without a desk never gets here
        import uvicorn

        # Separate threads: pages that wait for a store may use up all the others.
        threads = anyio.CapacityLimiter(SCRAPERS)
        for path, answer in answers.items():
            endpoint = _endpoint(answer, threads)
            app.add_route(path, endpoint, methods=["GET", "HEAD"], include_in_schema=False)
        # Open event streams would hold the process for ever; systemd waits no more than this.
        config = uvicorn.Config(
            app,
            log_config=None,
            access_log=False,
            server_header=False,
            lifespan="off",
            timeout_graceful_shutdown=2,
        )
        self._server = uvicorn.Server(config)
        self._listener = listener
        self._thread = threading.Thread(
            target=self._server.run, kwargs={"sockets": [listener]}, name="http", daemon=True
        )

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._server.should_exit = True

    def join(self, seconds: float) -> None:
        self._thread.join(seconds)
        if self._thread.is_alive():
            self._server.force_exit = True


def _endpoint(answer: Callable[[], HttpAnswer], threads: CapacityLimiter) -> Callable[[Any], Any]:
    from anyio import to_thread
    from starlette.responses import Response  # only where there is a desk, like the line above

    async def endpoint(request: Any) -> Response:
        said = await to_thread.run_sync(answer, limiter=threads)
        return Response(b"".join(said.body), said.status, media_type=said.content_type)

    return endpoint
