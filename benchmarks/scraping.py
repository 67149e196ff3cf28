"""Measures a scrape of /metrics from the request to the last byte.

No answer within the limit is None, and the next scrape opens a new connection.
"""

from __future__ import annotations

import http.client
import threading
import time
from urllib.parse import urlsplit


class Scraper:
    """One keep-alive connection to /metrics, as Prometheus holds it."""

    def __init__(self, address: str, cap_seconds: float = 10.0) -> None:
        parts = urlsplit(address)
        self._connection = http.client.HTTPConnection(
            parts.hostname or "", parts.port, timeout=cap_seconds
        )
        self.page = b""

    def scrape(self, path: str = "/metrics") -> float | None:
        """Seconds until the whole page was received; None when it exceeded the limit."""
        started = time.perf_counter()
        try:
            self._connection.request("GET", path)
            answer = self._connection.getresponse()
            page = answer.read()
        except (OSError, http.client.HTTPException):
            self._connection.close()
            return None
        if answer.status != 200:
            raise RuntimeError(f"{path} answered {answer.status}")
        self.page = page
        return time.perf_counter() - started

    def close(self) -> None:
        self._connection.close()


class Scraping:
    """Scrapes at a steady pace from a thread of its own while a block runs."""

    def __init__(self, address: str, pause_seconds: float) -> None:
        self.seconds: list[float] = []
        self.unanswered = 0
        self._scraper = Scraper(address)
        self._pause = pause_seconds
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="scraping", daemon=True)

    def __enter__(self) -> Scraping:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()
        self._scraper.close()

    def _run(self) -> None:
        while not self._ended.wait(self._pause):
            taken = self._scraper.scrape()
            if taken is None:
                self.unanswered += 1
            else:
                self.seconds.append(taken)
