"""Errors that a person can act on, with the sentence and the exit code of the command."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # `sigap --help` gets along without
    from probes import Text


class UserError(Exception):
    """An error a person can act on; printed as one sentence, without a traceback."""

    exit_code = 1


class LocalizedError(UserError):
    """A ``UserError`` in every language; ``in_language`` chooses the reader's."""

    def __init__(self, sentence: Text) -> None:
        super().__init__(sentence.en)
        self.sentence = sentence


@contextmanager
def in_language(language: str) -> Iterator[None]:
    """Turns a ``LocalizedError`` of the block into a ``UserError`` in this language."""
    try:
        yield
    except LocalizedError as error:
        raise UserError(error.sentence.said_in(language)) from error
