"""Reports findings to the desk from one thread; a slow or unavailable store loses none.

``put`` never waits. Only the newest state of each finding is kept, but one that was raised and
cleared while the store was unavailable is reported with both states. While the store is unavailable
everything is kept and tried again, with one log line at each change.

Findings are stated at every reading; the desk gets only those that could change something. It gets
a clear finding only if it awaits it (it lists these once a minute) or has the finding open; an
unchanged open finding is sent again once a minute. A thousand healthy servers cost the store
nothing.
"""

from __future__ import annotations

import itertools
import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from agent.runtime import verdict_log
from incidents.model import Change, Reported
from probes import Finding, Fingerprint, Severity

log = logging.getLogger("sigap.reporter")

FIRST_PAUSE_SECONDS = 0.5
LONGEST_PAUSE_SECONDS = 15.0
AGAIN_AFTER = timedelta(seconds=60)
"""How often an unchanged open finding is sent again."""
AWAITED_EVERY_SECONDS = 60.0
"""How often the desk is asked which findings it awaits to clear."""


class FindingSink(Protocol):
    """What the reporter needs of the desk."""

    def report(self, finding: Finding, now: datetime) -> Reported: ...

    def awaited(self) -> frozenset[str]: ...


@dataclass(frozen=True, slots=True)
class Counts:
    """What the reporter did, for /metrics."""

    pending: int
    told: int
    failed: int
    store_up: bool


class Reporter:
    """The only thread that writes findings to the desk."""

    def __init__(
        self,
        desk: FindingSink,
        now: Callable[[], datetime],
        monotonic: Callable[[], float],
        store_errors: tuple[type[Exception], ...],
        changed: Callable[[], None] = lambda: None,
    ) -> None:
        """``store_errors`` are what the desk raises when the store does not answer;
        ``changed`` is called after the desk has written something."""
        self._desk = desk
        self._now = now
        self._monotonic = monotonic
        self._store_errors = store_errors
        self._changed = changed
        self._waiting: dict[
            Fingerprint, list[Finding]
        ] = {}  # by fingerprint: oldest first, at most 2
        self._urgent: dict[
            Fingerprint, None
        ] = {}  # fingerprints of bad findings, in order of arrival
        self._calm: dict[Fingerprint, None] = {}  # the others
        self._not_before: dict[
            Fingerprint, float
        ] = {}  # monotonic, of findings that wait for a partner
        self._heard: dict[Fingerprint, Finding] = {}  # bad findings the desk has, as last delivered
        self._alone: set[Fingerprint] = set()  # of these, those without an incident
        self._again: set[Fingerprint] = set()  # of these, those a new incident might include
        self._awaited: set[Fingerprint] | None = None  # None: the desk was not asked yet
        self._asked_at = monotonic() - AWAITED_EVERY_SECONDS
        self._told = self._failed = self._in_a_row = 0
        self._away = False
        self._broken: set[Fingerprint] = set()
        self._stopping = False
        self._wake = threading.Condition()
        self._beat = monotonic()
        self._thread = threading.Thread(target=self._run, name="reporter", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def put(self, finding: Finding, wait_seconds: float = 0.0) -> None:
        """Queue a finding for the desk; returns at once. It is reported after ``wait_seconds``,
        unless a newer verdict on it replaces it.
        """
        name = finding.fingerprint
        with self._wake:
            if name not in self._waiting and not self._news(finding):
                return
            waiting = self._waiting.get(name, [])
            worst = next((word for word in waiting if word.opens and not finding.opens), None)
            self._waiting[name] = [worst, finding] if worst else [finding]
            if wait_seconds > 0:
                self._not_before[name] = self._monotonic() + wait_seconds
            else:
                self._not_before.pop(name, None)
            self._queue(name)
            self._wake.notify()

    def stop(self, seconds: float) -> int:
        """Deliver what is queued, for so long at most; returns how many findings stay
        undelivered.
        """
        with self._wake:
            self._stopping = True
            self._wake.notify()
        if self._thread.ident is not None:
            self._thread.join(seconds)
        with self._wake:
            return sum(len(words) for words in self._waiting.values())

    def counts(self) -> Counts:
        with self._wake:
            pending = sum(len(words) for words in self._waiting.values())
        return Counts(pending, self._told, self._failed, not self._away)

    def stalled(self) -> bool:
        """Whether the thread died or has hung in one report for half a minute."""
        return not self._thread.is_alive() or self._monotonic() - self._beat > 30.0

    def _news(self, finding: Finding) -> bool:
        """Whether the finding could change anything at the desk."""
        name = finding.fingerprint
        heard = self._heard.get(name)
        if finding.severity is Severity.CLEAR:
            return heard is not None or self._awaited is None or name in self._awaited
        return (
            heard is None
            or name in self._again
            or (heard.severity, heard.opens) != (finding.severity, finding.opens)
            or finding.at - heard.at >= AGAIN_AFTER
            or (finding.evidence is not None and finding.evidence != heard.evidence)
        )

    def _ask_awaited(self) -> None:
        """Ask the desk which findings it awaits to clear."""
        if self._monotonic() - self._asked_at < AWAITED_EVERY_SECONDS and not self._away:
            return
        try:
            awaited = {Fingerprint.parse(each) for each in self._desk.awaited()}
        except self._store_errors as error:
            if not self._away:
                log.error("store unavailable; findings are queued in memory: %s", error)
            self._away = True
            return
        self._asked_at = self._monotonic()
        with self._wake:
            self._awaited = awaited
            for name in [name for name in self._calm if name not in awaited]:
                if name not in self._heard:
                    for kept in (self._waiting, self._calm):
                        kept.pop(name, None)

    def _queue(self, name: Fingerprint) -> None:
        """Put a fingerprint into its queue; one that is already there keeps its turn."""
        trouble = any(word.severity > Severity.CLEAR for word in self._waiting[name])
        right, wrong = (self._urgent, self._calm) if trouble else (self._calm, self._urgent)
        wrong.pop(name, None)
        right.setdefault(name)

    def _run(self) -> None:
        while True:
            self._beat = self._monotonic()
            self._ask_awaited()
            finding = self._next()
            if finding is None:
                if self._stopping:
                    return
                continue
            pause = self._tell(finding)
            if pause:
                with self._wake:
                    self._wake.wait_for(lambda: self._stopping, pause)
                if self._stopping:
                    return

    def _next(self) -> Finding | None:
        """The next finding to deliver, bad ones before clear ones; None after a while without
        any.
        """
        with self._wake:
            name = self._ready()
            if name is None:
                at = self._monotonic()
                soonest = min(self._not_before.values(), default=at + 5.0)
                pause = min(5.0, max(0.01, soonest - at))
                self._wake.wait_for(lambda: self._ready() is not None or self._stopping, pause)
                name = self._ready()
            return self._waiting[name][0] if name is not None else None

    def _ready(self) -> Fingerprint | None:
        """The fingerprint whose turn it is; those that made the desk fail come last."""
        at = self._monotonic()
        last = None
        for name in itertools.chain(self._urgent, self._calm):
            if self._not_before.get(name, at) > at and not self._stopping:
                continue
            if name not in self._broken:
                return name
            last = last or name
        return last

    def _tell(self, finding: Finding) -> float:
        """Deliver one finding; returns the seconds to pause when that failed."""
        try:
            reported = self._desk.report(finding, self._now())
        except self._store_errors as error:
            if not self._away:
                log.error("store unavailable; findings are queued in memory: %s", error)
            self._away = True
            return self._pause()
        except Exception:  # one finding that makes the desk fail must not stop the others
            if finding.fingerprint not in self._broken:
                log.exception(
                    "reporting finding %s failed unexpectedly; please report this",
                    finding.fingerprint,
                )
            self._broken.add(finding.fingerprint)
            with self._wake:
                for queue in (self._urgent, self._calm):
                    if finding.fingerprint in queue:
                        queue[finding.fingerprint] = queue.pop(finding.fingerprint)
            return self._pause()
        before = self._heard.get(finding.fingerprint)
        self._done(finding, reported)
        if reported.change is not Change.NOTHING:
            log.info("%s %s: %s", reported.change, reported.number, finding.title.en)
            self._changed()
        elif verdict_log.changed(before, finding) and (before or not reported.number):
            # no incident reports it or had it before
            verdict_log.tell(before, finding)
        return 0.0

    def _pause(self) -> float:
        self._failed += 1
        self._in_a_row += 1
        return float(
            min(LONGEST_PAUSE_SECONDS, FIRST_PAUSE_SECONDS * 2 ** min(self._in_a_row - 1, 10))
        )

    def _done(self, finding: Finding, reported: Reported) -> None:
        if self._away:
            log.warning("store available again; %d findings queued", len(self._waiting))
        self._away = False
        self._in_a_row = 0
        self._told += 1
        name = finding.fingerprint
        self._broken.discard(name)
        with self._wake:
            left = [word for word in self._waiting.get(name, []) if word is not finding]
            if left:
                self._waiting[name] = left
                self._queue(name)
            else:
                for kept in (self._waiting, self._urgent, self._calm, self._not_before):
                    kept.pop(name, None)
            if finding.severity is Severity.CLEAR:
                self._heard.pop(name, None)
                self._alone.discard(name)
                if self._awaited is not None:
                    self._awaited.discard(name)
            else:
                self._heard[name] = finding
                (self._alone.discard if reported.number else self._alone.add)(name)
            self._again.discard(name)
            if reported.change in (Change.OPENED, Change.ATTACHED):
                self._again |= self._alone
