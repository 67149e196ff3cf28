"""Learned members of a target: data types and changes."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from typing import Protocol


class Verb(StrEnum):
    """What happened to a member."""

    LEARNED = "learned"  # it belongs here from now on
    GONE = "gone"  # it is not there any more
    BACK = "back"
    FORGOTTEN = "forgotten"  # a person said that it does not belong here


@dataclass(frozen=True, slots=True)
class Noted:
    """One member as remembered."""

    since: datetime  # when it was learned
    gone_since: datetime | None = None
    instead: str = ""  # what was seen in its place, for what there is only one of (role, upstream)


Members = Mapping[tuple[str, str], Noted]
"""By (kind, name)."""


@dataclass(frozen=True, slots=True)
class MemberChange:
    """One change to record; changes are applied again to a file that another process has
    written.
    """

    target: str
    verb: Verb
    kind: str
    name: str
    at: datetime
    instead: str = ""


@dataclass(frozen=True, slots=True)
class Notes:
    """The whole file."""

    targets: Mapping[str, Members] = field(default_factory=dict)

    def of(self, target: str) -> Members:
        return self.targets.get(target, {})

    def after(self, changes: Iterable[MemberChange]) -> Notes:
        """The notes with these changes applied, in order."""
        targets = {name: dict(members) for name, members in self.targets.items()}
        for each in changes:
            _apply(targets.setdefault(each.target, {}), each)
        return Notes({name: members for name, members in targets.items() if members})


def _apply(members: dict[tuple[str, str], Noted], change: MemberChange) -> None:
    key = (change.kind, change.name)
    noted = members.get(key)
    match change.verb:
        case Verb.LEARNED:
            members[key] = Noted(noted.since if noted else change.at)
        case Verb.FORGOTTEN:
            members.pop(key, None)
        case Verb.GONE if noted is not None:
            since = noted.gone_since or change.at
            members[key] = replace(noted, gone_since=since, instead=change.instead)
        case Verb.BACK if noted is not None:
            members[key] = replace(noted, gone_since=None, instead="")


class MemberNotes(Protocol):
    """The store of learned members; both calls return at once."""

    def of(self, target: str) -> Members:
        """What is known of a target."""
        ...

    def note(self, *changes: MemberChange) -> None:
        """Remember changes."""
        ...


class UnwrittenNotes:
    """Members that are forgotten when the process ends."""

    def __init__(self) -> None:
        self._notes = Notes()
        self._lock = threading.Lock()

    def of(self, target: str) -> Members:
        return self._notes.of(target)

    def note(self, *changes: MemberChange) -> None:
        with self._lock:
            self._notes = self._notes.after(changes)
