"""Records a real PostgreSQL's answers for playback by ``benchmarks.standin``.

A proxy between real probes and a real PostgreSQL that stores, for each statement, the bytes of the
answer, and the bytes that follow a login. Message formats: PostgreSQL manual, "Frontend/Backend
Protocol".
"""

from __future__ import annotations

import socket
import struct
import threading
from contextlib import suppress
from dataclasses import dataclass, field

SSL_REQUEST = 80877103
READY = b"Z"
QUERY = b"Q"
AUTHENTICATION = b"R"
OK, SASL, SASL_CONTINUE = 0, 10, 11


@dataclass
class Recording:
    """The recorded answers of a real server."""

    greeting: bytes = b""  # from "authenticated" to "ready"
    answers: dict[bytes, bytes] = field(default_factory=dict)  # by statement, with its NUL


class Stream:
    """Complete messages from a socket; ``b""`` once it is closed."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._rest = b""

    def exactly(self, count: int) -> bytes:
        while len(self._rest) < count:
            more = self._connection.recv(65536)
            if not more:
                raise EOFError
            self._rest += more
        found, self._rest = self._rest[:count], self._rest[count:]
        return found

    def startup(self) -> bytes:
        """The first message, which has no kind."""
        size = self.exactly(4)
        return size + self.exactly(struct.unpack("!I", size)[0] - 4)

    def message(self) -> bytes:
        """Kind, length and body."""
        head = self.exactly(5)
        return head + self.exactly(struct.unpack("!I", head[1:])[0] - 4)


class Recorder:
    """Listens on loopback and hands every connection on to ``port``, taking notes."""

    def __init__(self, port: int) -> None:
        self.recording = Recording()
        self._server_port = port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        threading.Thread(target=self._accept, name="recorder", daemon=True).start()

    def close(self) -> None:
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        with (
            client,
            socket.create_connection(("127.0.0.1", self._server_port)) as server,
            suppress(EOFError, OSError),
        ):
            asked, said = Stream(client), Stream(server)
            first = asked.startup()
            if struct.unpack("!I", first[4:8])[0] == SSL_REQUEST:
                client.sendall(b"N")
                first = asked.startup()
            server.sendall(first)
            self._log_in(client, server, asked, said)
            while True:
                question = asked.message()
                server.sendall(question)
                if question[:1] != QUERY:
                    continue
                answer = self._until_ready(said, b"")
                self.recording.answers[question[5:]] = answer
                client.sendall(answer)

    def _log_in(
        self, client: socket.socket, server: socket.socket, asked: Stream, said: Stream
    ) -> None:
        while True:
            message = said.message()
            code = struct.unpack("!I", message[5:9])[0] if message[:1] == AUTHENTICATION else None
            if code == OK:
                greeting = self._until_ready(said, message)
                self.recording.greeting = greeting
                client.sendall(greeting)
                return
            client.sendall(message)
            if code in (SASL, SASL_CONTINUE):
                server.sendall(asked.message())

    def _until_ready(self, said: Stream, so_far: bytes) -> bytes:
        while True:
            message = said.message()
            so_far += message
            if message[:1] == READY:
                return so_far
