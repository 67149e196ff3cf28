"""Folders for demos under test: paths short enough for sockets, readable for the servers'
account.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from agent.demo.home import Home
from agent.demo.scene.ground import NAMES
from agent.demo.scene.volume import SmallVolume
from agent.demo.servers import process


@contextmanager
def demo_folder() -> Iterator[Path]:
    """A folder for one demo; whatever a failed test left running there is ended."""
    above = Path(tempfile.mkdtemp(prefix="sigap-"))
    above.chmod(0o755)
    try:
        yield above / "demo"
    finally:
        home = Home(above / "demo")
        process.sweep(home.run, data_folders(home))
        SmallVolume(home.volume).unmount()
        shutil.rmtree(above)


def data_folders(home: Home) -> list[Path]:
    return [home.server(name) for name in NAMES]
