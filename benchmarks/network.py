"""Network namespaces that drop packets, without touching the machine's own network.

Inside ``own_network`` this thread and its children have a separate loopback; firewall rules set
there disappear with it. Needs root and the programs ip and iptables.
"""

from __future__ import annotations

import ctypes
import os
import shutil
import socket
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

_NEW_NETWORK = 0x40000000  # CLONE_NEWNET, <linux/sched.h>


def _libc(call: str, *arguments: int) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if getattr(libc, call)(*arguments) != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{call}: {os.strerror(number)}; a network of its own needs root")


def _run(*command: str) -> None:
    program = shutil.which(command[0], path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin")
    if program is None:
        raise RuntimeError(f"{command[0]} is not installed; as root: apt-get install iptables")
    done = subprocess.run([program, *command[1:]], capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)} failed: {done.stderr.strip()}")


@contextmanager
def own_network() -> Iterator[None]:
    """A network namespace with nothing but loopback, left again at the end."""
    before = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    try:
        _libc("unshare", _NEW_NETWORK)
        try:
            _run("ip", "link", "set", "lo", "up")
            yield
        finally:
            _libc("setns", before, _NEW_NETWORK)
    finally:
        os.close(before)


def swallow(port: int) -> None:
    """From now on packets to and from a port of this network are dropped."""
    _drop("-A", port)


def let_through(port: int) -> None:
    """Take back ``swallow``."""
    _drop("-D", port)


def _drop(change: str, port: int) -> None:
    for side in ("--dport", "--sport"):
        _run("iptables", change, "INPUT", "-p", "tcp", side, str(port), "-j", "DROP")


class Relay:
    """A TCP server that forwards everything to another one, until it stops answering.

    It then still accepts connections and reads, but never sends anything.
    """

    def __init__(self, port: int) -> None:
        self._behind = port
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=1024)
        self.port = int(self._listener.getsockname()[1])
        self.silent = False
        threading.Thread(target=self._accept, name="relay", daemon=True).start()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                connection, _ = self._listener.accept()
                threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        """One connection; it ends when either side has had enough."""
        with client, suppress(OSError):
            if self.silent:
                while client.recv(4096):
                    pass
                return
            with socket.create_connection(("127.0.0.1", self._behind)) as server:
                back = threading.Thread(target=self._hand_on, args=(server, client), daemon=True)
                back.start()
                self._hand_on(client, server)
                back.join()

    def _hand_on(self, giver: socket.socket, taker: socket.socket) -> None:
        with suppress(OSError):
            while data := giver.recv(65536):
                if not self.silent:
                    taker.sendall(data)
        with suppress(OSError):
            taker.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
