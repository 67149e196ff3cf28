"""The Prometheus exporters to compare with, as Debian packages them, with their default collectors.

Each runs in a separate process on a free loopback port and is ended by its own pid.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import psutil

from benchmarks.measure import go_ahead
from benchmarks.scraping import Scraper
from tests.servers.machine import free_port

PASSWORD = "kata-sandi-eksportir"
ACCOUNT = "eksportir"


class Exporter:
    """A running exporter."""

    def __init__(self, program: str, variables: Mapping[str, str]) -> None:
        found = shutil.which(program)
        if found is None:
            raise RuntimeError(
                f"{program} is not installed; as root: "
                f"apt-get install --no-install-recommends {program}"
            )
        self.name = program.removeprefix("prometheus-")
        port = free_port()
        self.address = f"http://127.0.0.1:{port}"
        self.popen = subprocess.Popen(
            [found, f"--web.listen-address=127.0.0.1:{port}"],
            env={"PATH": os.environ.get("PATH", ""), **variables},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        self.process = psutil.Process(self.popen.pid)
        go_ahead(self.popen.pid)

    def wait_ready(self) -> None:
        """Return once a scrape shows that the server is up."""
        end = time.monotonic() + 30
        scraper = Scraper(self.address)
        while True:
            scraper.scrape()
            if b"\npg_up 1" in scraper.page or b"\nmysql_up 1" in scraper.page:
                scraper.close()
                return
            if self.popen.poll() is not None or time.monotonic() > end:
                raise RuntimeError(f"{self.name} does not see its server")
            time.sleep(0.05)

    def cpu_seconds(self) -> float:
        used = self.process.cpu_times()
        return float(used.user + used.system)

    def stop(self) -> None:
        self.popen.terminate()
        try:
            self.popen.wait(10)
        except subprocess.TimeoutExpired:
            self.popen.kill()
            self.popen.wait(10)


@contextmanager
def running(program: str, variables: Mapping[str, str]) -> Iterator[Exporter]:
    """An exporter that sees its server, gone afterwards."""
    exporter = Exporter(program, variables)
    try:
        exporter.wait_ready()
        yield exporter
    finally:
        exporter.stop()
