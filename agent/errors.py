"""Errors that a person can act on, with the sentence and the exit code of the command."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # `sigap --help` gets along without
    from probes import Text


class Trouble(Exception):
    """Something the reader can act on; printed as it is, without a traceback."""

    exit_code = 1


class Told(Trouble):
    """Trouble in both languages; ``in_language`` has it said in the reader's."""

    def __init__(self, sentence: Text) -> None:
        super().__init__(sentence.en)
        self.sentence = sentence


@contextmanager
def in_language(language: str) -> Iterator[None]:
    """What is ``Told`` in the block is ``Trouble`` said in this language."""
    try:
        yield
    except Told as told:
        raise Trouble(told.sentence.said_in(language)) from told
