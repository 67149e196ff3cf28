"""The demo's error type: a sentence with the next move, in both languages."""

from __future__ import annotations

from probes import Text


class DemoError(Exception):
    """The demo cannot do what was asked; ``reason`` says why and what to do next."""

    def __init__(self, reason: Text) -> None:
        super().__init__(reason.en)
        self.reason = reason
