"""Sizes of a benchmark run: quick check, documents, or the goals' own size."""

from __future__ import annotations

from enum import IntEnum
from typing import TypeVar

T = TypeVar("T")


class Size(IntEnum):
    """Asked for on the command line."""

    QUICK = 0
    USUAL = 1
    LARGE = 2

    def of(self, quick: T, usual: T, large: T) -> T:
        """The one of three that belongs to this size."""
        return (quick, usual, large)[self]
