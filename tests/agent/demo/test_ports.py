"""The ports of the demo's servers."""

from __future__ import annotations

import socket
from pathlib import Path

from agent.demo.servers.ports import free_port


def test_a_free_port_is_none_that_an_outgoing_connection_may_get() -> None:
    kernels = Path("/proc/sys/net/ipv4/ip_local_port_range").read_text(encoding="ascii").split()
    for _ in range(20):
        assert 1024 < free_port() < int(kernels[0])


def test_the_port_of_last_time_is_kept_while_it_is_free() -> None:
    port = free_port()
    assert free_port(port) == port
    with socket.create_server(("127.0.0.1", port)):
        assert free_port(port) not in (0, port)
