"""A stand-in for a PostgreSQL server, since a thousand real ones fit on no machine.

Speaks PostgreSQL's wire protocol, simple queries only, and answers each statement with the bytes of
a real server (``benchmarks.recording``). Logins use SCRAM-SHA-256 (RFC 5802, 7677) or no password.
A statement without a recorded answer is an error and counted; the benchmark then fails. Called as
``python -m benchmarks.standin RECORDING.json``; prints its port, and its counts at SIGTERM.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import json
import os
import resource
import signal
import struct
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.recording import SASL, SASL_CONTINUE, SSL_REQUEST, Recording

SASL_FINAL = 12
ITERATIONS = 4096  # PostgreSQL's own, scram_iterations
_SALT = hashlib.sha256(b"sigap bench").digest()[:16]


@dataclass
class Counts:
    """What happened."""

    logins: int = 0
    refused: int = 0
    statements: int = 0
    unknown: int = 0
    open: int = 0
    most_open: int = 0


class Keys:
    """What a server stores of a password (RFC 5802, section 3)."""

    def __init__(self, password: str) -> None:
        salted = hashlib.pbkdf2_hmac("sha256", password.encode(), _SALT, ITERATIONS)
        client = hmac.digest(salted, b"Client Key", "sha256")
        self.stored = hashlib.sha256(client).digest()
        self.server = hmac.digest(salted, b"Server Key", "sha256")

    def proves(self, proof: bytes, said: bytes) -> bool:
        """Whether the proof belongs to this password and this conversation."""
        signature = hmac.digest(self.stored, said, "sha256")
        key = bytes(a ^ b for a, b in zip(proof, signature, strict=True))
        return hmac.compare_digest(hashlib.sha256(key).digest(), self.stored)


class Session(asyncio.Protocol):
    """One connection."""

    def __init__(self, recording: Recording, keys: Keys | None, counts: Counts) -> None:
        self._recording = recording
        self._keys = keys
        self._counts = counts
        self._rest = b""
        self._state = self._startup
        self._said = b""  # of the SCRAM conversation
        self._transport: Any = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport
        self._counts.open += 1
        self._counts.most_open = max(self._counts.most_open, self._counts.open)

    def connection_lost(self, exc: Exception | None) -> None:
        self._counts.open -= 1

    def data_received(self, data: bytes) -> None:
        self._rest += data
        while (size := self._whole()) is not None:
            message, self._rest = self._rest[:size], self._rest[size:]
            self._state(message)

    def _whole(self) -> int | None:
        """How long the first message is; None while it is not all there."""
        kind = 0 if self._state == self._startup else 1
        if len(self._rest) < kind + 4:
            return None
        size = kind + int(struct.unpack_from("!I", self._rest, kind)[0])
        return size if len(self._rest) >= size else None

    def _startup(self, message: bytes) -> None:
        if struct.unpack_from("!I", message, 4)[0] == SSL_REQUEST:
            self._transport.write(b"N")
        elif self._keys is None:
            self._welcome()
        else:
            self._state = self._first
            self._authentication(SASL, b"SCRAM-SHA-256\0\0")

    def _first(self, message: bytes) -> None:
        """The client's name and nonce; ours comes back with the salt."""
        start = message.index(b"\0", 5) + 5  # after the mechanism and the length
        bare = message[start:].split(b",", 2)[2]
        nonce = bare.partition(b"r=")[2] + base64.b64encode(os.urandom(18))
        answer = b"r=%b,s=%b,i=%d" % (nonce, base64.b64encode(_SALT), ITERATIONS)
        self._said = bare + b"," + answer
        self._state = self._final
        self._authentication(SASL_CONTINUE, answer)

    def _final(self, message: bytes) -> None:
        """The client's proof; ours follows."""
        assert self._keys is not None
        without, _, proof = message[5:].rpartition(b",p=")
        said = self._said + b"," + without
        if not self._keys.proves(base64.b64decode(proof), said):
            self._counts.refused += 1
            self._error(b"28P01", b"password authentication failed")
            self._transport.close()
            return
        signature = base64.b64encode(hmac.digest(self._keys.server, said, "sha256"))
        self._authentication(SASL_FINAL, b"v=" + signature)
        self._welcome()

    def _welcome(self) -> None:
        self._counts.logins += 1
        self._state = self._question
        self._transport.write(self._recording.greeting)

    def _question(self, message: bytes) -> None:
        if message[:1] == b"X":
            self._transport.close()
            return
        self._counts.statements += 1
        answer = self._recording.answers.get(message[5:])
        if answer is None:
            self._counts.unknown += 1
            print(f"no answer to {message[5:]!r}", file=sys.stderr, flush=True)
            self._error(b"0A000", b"this statement was not recorded")
            self._transport.write(b"Z\0\0\0\5I")
            return
        self._transport.write(answer)

    def _authentication(self, code: int, said: bytes) -> None:
        self._transport.write(b"R" + struct.pack("!II", 8 + len(said), code) + said)

    def _error(self, code: bytes, words: bytes) -> None:
        body = b"SERROR\0VERROR\0C" + code + b"\0M" + words + b"\0\0"
        self._transport.write(b"E" + struct.pack("!I", 4 + len(body)) + body)


async def serve(recording: Recording, keys: Keys | None) -> None:
    """Until SIGTERM."""
    counts = Counts()
    ended = asyncio.Event()
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGTERM, ended.set)
    server = await loop.create_server(
        lambda: Session(recording, keys, counts), "127.0.0.1", 0, backlog=4096
    )
    print(json.dumps({"port": server.sockets[0].getsockname()[1]}), flush=True)
    await ended.wait()
    print(json.dumps(vars(counts)), flush=True)


def main(file: Path) -> None:
    """Read what to answer and whose password to ask for."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    read = json.loads(file.read_text(encoding="utf-8"))
    answers = {bytes.fromhex(sql): bytes.fromhex(said) for sql, said in read["answers"].items()}
    recording = Recording(bytes.fromhex(read["greeting"]), answers)
    asyncio.run(serve(recording, Keys(read["password"]) if read["password"] else None))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
