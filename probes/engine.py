"""What a kind of server declares of itself: how to log in, how accounts are written, its place."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from probes.model import Exhibit, Grant, Session, Target, Text


def as_written(account: str) -> str:
    """The account's name with nothing added."""
    return account


class NoAccountName(ValueError):
    """A name that no account of this kind of server can have; one sentence."""

    def __init__(self, sentence: Text) -> None:
        super().__init__(sentence.en)
        self.sentence = sentence


@dataclass(frozen=True, slots=True)
class Script:
    """How the lines of ``sigap grants`` are written down for an administrator."""

    account: Callable[[str], str] = as_written
    """A name as these lines need it. Raises ``NoAccountName`` when it cannot be one."""
    comment: str = "--"
    end: str = ";"  # of a line


@dataclass(frozen=True, slots=True)
class Engine:
    """A kind of server. ``probes/<name>/__init__.py`` declares one as ``ENGINE``."""

    name: str
    title: str
    default_port: int
    flavours: tuple[str, ...]
    open: Callable[[Target, str], Session]
    """``open(target, purpose)``: log in within the deadline in force; raises ``ProbeError``.
    ``purpose`` ends up in the session's application name ("sigap/availability")."""
    schemes: tuple[str, ...] = ()  # what a url begins with; empty: the engine's name
    role: str = ""
    """The place every server of this kind has in its cluster (``pooler``); empty: as with a
    database server, configured or learned."""
    base_grants: tuple[Grant, ...] = ()  # the account itself and the rights every probe needs
    options: Mapping[str, tuple[Grant, ...]] = field(default_factory=dict)
    """What an administrator may add by choice (``canary``), as lines to run; never by default."""
    script: Script = Script()
    lately: Callable[[Session], Iterable[Exhibit]] | None = None
    """What changed on the server before trouble began: shown with the evidence of every probe."""
