"""The listener of an agent without a desk, and a port that is taken."""

from __future__ import annotations

import http.client
import socket
import time
from collections.abc import Iterator

import pytest

from agent.http import ListenError, PlainServer, listen, routes


@pytest.fixture
def unready() -> list[str]:
    return []


@pytest.fixture
def port(unready: list[str]) -> Iterator[int]:
    listener = listen("127.0.0.1", 0)
    found: int = listener.getsockname()[1]
    server = PlainServer(listener, routes(lambda: [b"sigap_build_", b"info 1\n"], lambda: unready))
    server.start()
    yield found
    server.stop()
    server.join(5)


def get(port: int, path: str, method: str = "GET") -> tuple[int, bytes, str]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    connection.request(method, path)
    answer = connection.getresponse()
    said = answer.status, answer.read(), answer.headers["Content-Type"]
    connection.close()
    return said


def test_metrics_have_the_text_formats_type(port: int) -> None:
    status, body, kind = get(port, "/metrics?x=1")
    assert (status, body) == (200, b"sigap_build_info 1\n")
    assert kind.startswith("text/plain; version=0.0.4")


def test_the_landing_page_links_metrics(port: int) -> None:
    status, body, _ = get(port, "/")
    assert status == 200 and b'href="/metrics"' in body


def test_a_page_that_is_not_there_is_404(port: int) -> None:
    assert get(port, "/nowhere")[0] == 404


def test_head_has_no_body(port: int) -> None:
    assert get(port, "/healthz", "HEAD")[:2] == (200, b"")


def test_ready_says_what_does_not_advance(port: int, unready: list[str]) -> None:
    assert get(port, "/readyz")[:2] == (200, b"ready\n")
    unready.append("simpeg has not been read yet")
    assert get(port, "/readyz")[:2] == (503, b"not ready: simpeg has not been read yet\n")
    assert get(port, "/healthz")[0] == 200


def test_many_scrapers_at_once_are_all_served(port: int) -> None:
    waiting = [socket.create_connection(("127.0.0.1", port), timeout=5) for _ in range(60)]
    for each in waiting:
        each.sendall(b"GET /healthz HTTP/1.0\r\n\r\n")
    assert all(each.recv(64).startswith(b"HTTP/1.1 200") for each in waiting)
    for each in waiting:
        each.close()


def test_a_page_larger_than_the_buffer_is_not_held_back_on_a_kept_connection() -> None:
    listener = listen("127.0.0.1", 0)
    server = PlainServer(listener, routes(lambda: [b"x" * 20_000], list))
    server.start()
    connection = http.client.HTTPConnection("127.0.0.1", listener.getsockname()[1], timeout=10)
    taken = []
    for _ in range(40):  # the kernel delays its acknowledgements only after the first dozen
        started = time.perf_counter()
        connection.request("GET", "/metrics")
        assert len(connection.getresponse().read()) == 20_000
        taken.append(time.perf_counter() - started)
    connection.close()
    server.stop()
    server.join(5)
    # Waiting for a delayed acknowledgement takes 40 ms at least, every time.
    assert min(taken[20:]) < 0.03


def test_a_taken_port_is_one_sentence_with_the_next_move() -> None:
    taken = listen("127.0.0.1", 0)
    number = taken.getsockname()[1]
    with pytest.raises(ListenError, match=f"port {number} .* is in use .* agent.listen"):
        listen("127.0.0.1", number)
    taken.close()


def test_an_address_that_is_not_ours_is_one_sentence() -> None:
    with pytest.raises(ListenError, match=r"cannot listen on 192\.0\.2\.1:80"):
        listen("192.0.2.1", 80)
