"""Declaration of an engine: login, account script, role, optional features."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from probes.model import Exhibit, Grant, Session, Target, Text


def as_written(account: str) -> str:
    """The account's name, unchanged."""
    return account


class NoAccountName(ValueError):
    """A name that is not valid as an account of this engine; one sentence."""

    def __init__(self, sentence: Text) -> None:
        super().__init__(sentence.en)
        self.sentence = sentence


@dataclass(frozen=True, slots=True)
class Script:
    """How ``sigap grants`` prints its lines for an administrator."""

    account: Callable[[str], str] = as_written
    """The name in the form these lines need. Raises ``NoAccountName`` if it is not valid."""
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
    """The role of every server of this engine in its cluster (``pooler``); empty: configured or
    learned, as for a database server.
    """
    base_grants: tuple[Grant, ...] = ()  # the account itself and the rights every probe needs
    options: Mapping[str, tuple[Grant, ...]] = field(default_factory=dict)
    """Optional features an administrator may enable (``canary``), as lines to run; none by default.
    """
    script: Script = Script()
    lately: Callable[[Session], Iterable[Exhibit]] | None = None
    """Recent changes on the server (restarts, settings, log); added to the evidence of every probe.
    """
