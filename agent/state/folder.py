"""The state folder: learned members, and probes' memory that survives a restart.

Probing threads never wait for the disk; one thread writes what they leave here, and once more at
the end. Without a writable folder everything works but is forgotten at a restart.
"""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from agent.state.files import make_folder, write_whole
from agent.state.member_file import Notebook

log = logging.getLogger("sigap.state")

MEMBERS_FILE = "members.json"
KEPT_FILE = "probe-memory.json"
FLUSH_SECONDS = 2.0
KEEP_EVERY_SECONDS = 300.0


class State:
    """Contents of the agent's state folder."""

    def __init__(self, folder: Path | None) -> None:
        """Reads the folder; if ``folder`` is None or not writable, nothing survives the process."""
        self._folder = _usable(folder)
        self.notebook = Notebook(self._folder / MEMBERS_FILE if self._folder else None)
        self._kept = self._read_kept()
        self._texts: dict[str, str] = {}  # by target, JSON made by the target's own thread
        self._changed = False
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="state", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self, seconds: float) -> None:
        """Write what is new and end, within ``seconds`` as far as the disk allows."""
        self._stop.set()
        if self._thread.ident is not None:
            self._thread.join(seconds)

    def kept(self, target: str) -> Mapping[str, Any]:
        """What the probes of a target stored, by probe, in this or an earlier process."""
        with self._lock:
            text = self._texts.get(target)
        found = json.loads(text) if text else self._kept.get(target)
        return found if isinstance(found, dict) else {}

    def keep(self, target: str, kept: Mapping[str, Any]) -> None:
        """Store what a target's probes want to keep; called by that target's thread, never
        waits.
        """
        if not kept or self._folder is None:
            return
        try:
            text = json.dumps(kept, allow_nan=False)
        except (TypeError, ValueError):
            log.exception(
                "memory of the probes of %s is not valid JSON; please report this", target
            )
            return
        with self._lock:
            self._changed = self._changed or self._texts.get(target) != text
            self._texts[target] = text

    def forget(self, target: str) -> None:
        """A target was removed from the configuration: drop its probes' memory, keep its
        members.
        """
        with self._lock:
            self._changed = self._texts.pop(target, None) is not None or self._changed
        self._kept.pop(target, None)

    def _run(self) -> None:
        waited = 0.0
        while not self._stop.wait(FLUSH_SECONDS):
            self.notebook.flush()
            waited += FLUSH_SECONDS
            if waited >= KEEP_EVERY_SECONDS:
                self._write_kept()
                waited = 0.0
        self.notebook.flush()
        self._write_kept()

    def _write_kept(self) -> None:
        with self._lock:
            if not self._changed or self._folder is None:
                return
            texts = {name: json.dumps(each) for name, each in self._kept.items()} | self._texts
            self._changed = False
        body = ",\n".join(f"{json.dumps(name)}: {text}" for name, text in sorted(texts.items()))
        try:
            write_whole(self._folder / KEPT_FILE, "{\n" + body + "\n}\n")
        except OSError as error:
            log.error(
                "%s cannot be written, probe history is lost at restart: %s",
                self._folder / KEPT_FILE,
                error,
            )

    def _read_kept(self) -> dict[str, Any]:
        if self._folder is None:
            return {}
        file = self._folder / KEPT_FILE
        try:
            found = json.loads(file.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return {}
        except (OSError, ValueError) as error:
            log.error("%s cannot be read, forecasts start again: %s", file, error)
            return {}
        return found if isinstance(found, dict) else {}


def _usable(folder: Path | None) -> Path | None:
    if folder is None:
        return None
    try:
        make_folder(folder)
        trial = folder / ".writable"
        trial.touch()
        trial.unlink()
    except OSError as error:
        log.warning(
            "state folder %s is not writable, learned members are lost at restart: %s",
            folder,
            error.strerror,
        )
        return None
    return folder
