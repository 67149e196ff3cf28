"""Why: half the truth about a broken replication stands on the other server.

Promise: no thread touches another target's session. The other side is asked through its own loop
and answers between two of its rounds; whoever asks never waits. Only the report of an opening
finding is held, and for less than a second.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from probes import Evidence, Exhibit, Finding, Fingerprint, Probe, Severity, Text
from probes.plan import Plan
from probes.runner import Owner
from probes.words.evidence import labelled

KEPT_WHILE_CLEAR = timedelta(minutes=10)
"""Evidence is thrown away once its finding has been clear for so long: a flapping finding keeps
what was seen at its first onset, and nothing is asked again."""

PAIRED = frozenset({"replication"})
"""Families whose evidence takes both sides."""

PATIENCE_SECONDS = 0.8
"""How long the report of an opening finding waits for the other side."""

Send = Callable[[Finding, float], None]
"""Takes a finding for the desk, and for how many seconds it should wait."""

_UNASKED = Text("sisi ini tidak dapat ditanya", "this side could not be asked")


@dataclass(slots=True)
class Frozen:
    """The evidence of one target's findings. Its own thread and its partners' use it."""

    _evidence: dict[Fingerprint, Evidence] = field(default_factory=dict)
    _asked: dict[Fingerprint, int] = field(
        default_factory=dict
    )  # partners that have not answered yet
    _held: dict[Fingerprint, Finding] = field(
        default_factory=dict
    )  # reports that wait for a partner
    _waited: set[Fingerprint] = field(default_factory=set)
    _causes: dict[Fingerprint, str] = field(default_factory=dict)  # of the newest onset
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def missing(self, onsets: Iterable[Fingerprint]) -> tuple[Fingerprint, ...]:
        """The onsets of which nothing is frozen yet."""
        with self._lock:
            return tuple(name for name in onsets if name not in self._evidence)

    def onset(self, findings: Iterable[Finding]) -> None:
        """These begin now: what was frozen of one that had another cause proves nothing of this."""
        with self._lock:
            for finding in findings:
                name = finding.fingerprint
                if self._causes.get(name, finding.cause) != finding.cause:
                    self._evidence.pop(name, None)
                    self._waited.discard(name)
                self._causes[name] = finding.cause

    def keep(self, names: Iterable[Fingerprint], taken: Evidence) -> None:
        with self._lock:
            self._evidence |= dict.fromkeys(names, taken)

    def ask(self, names: Iterable[Fingerprint]) -> None:
        """A partner was asked on behalf of these findings."""
        with self._lock:
            for name in names:
                self._asked[name] = self._asked.get(name, 0) + 1

    def answered(self, names: Iterable[Fingerprint], taken: Evidence, send: Send) -> None:
        """A partner's side has come; the reports that waited for it go with it."""
        with self._lock:
            for name in names:
                left = self._asked.pop(name, 1) - 1
                if left > 0:
                    self._asked[name] = left
                own = self._evidence.get(name)
                if own is None:
                    continue
                whole = replace(own, exhibits=own.exhibits + taken.exhibits)
                self._evidence[name] = whole
                if left <= 0 and name in self._held:
                    send(replace(self._held.pop(name), evidence=whole), 0.0)

    def report(self, finding: Finding, send: Send) -> None:
        """Send a finding with what is frozen of it; an opening one waits a little, and only once,
        for partners that were asked."""
        name = finding.fingerprint
        with self._lock:
            self._held.pop(name, None)
            evidence = self._evidence.get(name)
            patience = 0.0
            if evidence is not None and finding.severity is Severity.CLEAR:
                if finding.at - finding.since > KEPT_WHILE_CLEAR:
                    del self._evidence[name]
                    self._waited.discard(name)
            elif evidence is not None:
                finding = replace(finding, evidence=evidence)
                if finding.opens and self._asked.get(name) and name not in self._waited:
                    self._waited.add(name)
                    self._held[name] = finding
                    patience = PATIENCE_SECONDS
            send(finding, patience)


def other_side(probe: Probe, plan: Plan, owner: Owner, now: datetime) -> Evidence:
    """What a partner shows of the same question; called in the partner's own thread."""
    name = plan.target.name
    asked = next((each for each in plan.probes if each.name == probe.name), None)
    taken = owner.gather(asked, now) if asked is not None else None
    if taken is None:
        return Evidence(now, labelled([Exhibit(_UNASKED, (), ())], name))
    return Evidence(now, labelled(taken.exhibits, name))
