"""Runs the desk inside the daemon: store, people, reporter, periodic jobs, metrics and pages.

Imported only where the configuration names a store. Periodic jobs (reminders and breaches, ledger
verification, session clean-up) never run twice at once; an unavailable store is one log line and
stops nothing. Reminders and breaches are looked for by the monotonic clock, because a wall clock
that is set back would make them wait for it.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Any

from apscheduler.events import EVENT_JOB_MAX_INSTANCES, EVENT_JOB_MISSED, JobExecutionEvent
from apscheduler.schedulers.background import BackgroundScheduler
from prometheus_client.core import CounterMetricFamily

from agent.config import Config
from agent.metrics.readings import Latest
from agent.metrics.registry import Metrics, sigap_version
from agent.metrics.sla_metrics import Figures
from agent.metrics.target_health import targets
from agent.open_desk import open_desk
from agent.runtime.reporter import Reporter
from agent.runtime.scheduler import Clocks
from agent.runtime.self_metrics import of_reporter
from incidents.ledger.verify import verify as verify_ledger
from incidents.people.sessions import Sessions
from incidents.store import StoreUnavailable
from incidents.web.app import create_app

log = logging.getLogger("sigap.desk")

SWEEP_SECONDS = 30
FIRST_SWEEP_SECONDS = 1
REFRESH_SECONDS = 15.0
STALLED_SECONDS = 4 * SWEEP_SECONDS


class BackOffice:
    """Everything of this process that needs the store."""

    def __init__(
        self, config: Config, latest: Latest, metrics: Metrics, clocks: Clocks, demo: bool
    ) -> None:
        """Opens the store, or keeps trying if it only does not answer now.

        Raises ``agent.open_desk.OpeningError``, one sentence, if waiting would not help.
        """
        opened = open_desk(config, wait=True)
        self._clocks = clocks
        self._store, self.desk, self.people = opened.store, opened.desk, opened.people
        self.figures = Figures(self.desk, [step.number for step in opened.procedure.steps])
        self.reporter = Reporter(
            self.desk, clocks.now, clocks.monotonic, (StoreUnavailable,), self.nudge
        )
        self.app: Any = create_app(
            self.desk,
            self.people,
            opened.office,
            lambda: targets(latest, clocks.now(), self.figures.incident_of),
            clocks.now,
            demo,
            zone=opened.calendar.zone,
            base_url=config.public_url,
            version=sigap_version(),
        )
        self._jobs = BackgroundScheduler(timezone=opened.calendar.zone, daemon=True)
        self._add_jobs()
        self._skipped = 0
        self._away: set[str] = set()
        self._swept_at = clocks.monotonic()
        self._nudged = threading.Event()
        self._stopping = False
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._refresh, name="figures", daemon=True)
        self._sweeper = threading.Thread(target=self._keep_sweeping, name="sweep", daemon=True)
        metrics.add(lambda: of_reporter(self.reporter))
        metrics.add(self.figures.collect)
        metrics.add(self._own)
        if self._store.prepared:
            log.info("incidents are stored in %s", self._store.describe())
        else:
            log.error(
                "%s does not answer yet; findings are queued in memory", self._store.describe()
            )

    def start(self) -> None:
        self.reporter.start()
        self._jobs.start()
        self._thread.start()
        self._sweeper.start()

    def nudge(self) -> None:
        """The desk has written something: update the incident metrics soon."""
        self._nudged.set()

    def stop(self, seconds: float) -> int:
        """End within ``seconds``; returns how many findings were not delivered."""
        self._stopping = True
        self._ending.set()
        self._nudged.set()
        if self._jobs.running:
            self._jobs.shutdown(wait=False)
        untold = self.reporter.stop(seconds)
        self._store.close()
        return untold

    def stalled(self) -> list[str]:
        """Which of the desk's loops do not advance, in words."""
        found = []
        if self.reporter.stalled():
            found.append("the reporter does not advance")
        if self._clocks.monotonic() - self._swept_at > STALLED_SECONDS:
            found.append("the sweep of time standards does not advance")
        return found

    def _add_jobs(self) -> None:
        soon = self._clocks.now() + timedelta(seconds=1)
        every = {"coalesce": True, "max_instances": 1}
        self._jobs.add_job(
            self._verify, "cron", hour=2, minute=20, misfire_grace_time=6 * 3600,
            next_run_time=soon, **every,
        )  # fmt: skip
        self._jobs.add_job(self._clean_up, "interval", hours=1, misfire_grace_time=3600, **every)
        self._jobs.add_listener(self._missed, EVENT_JOB_MISSED | EVENT_JOB_MAX_INSTANCES)

    def _missed(self, event: JobExecutionEvent) -> None:
        self._skipped += 1

    def _keep_sweeping(self) -> None:
        due_at = self._clocks.monotonic() + FIRST_SWEEP_SECONDS
        while not self._ending.wait(max(0.0, due_at - self._clocks.monotonic())):
            self._sweep()
            due_at += SWEEP_SECONDS
            late = int((self._clocks.monotonic() - due_at) // SWEEP_SECONDS) + 1
            if late > 0:
                self._skipped += late
                due_at += late * SWEEP_SECONDS

    def _sweep(self) -> None:
        def sweep(now: datetime) -> None:
            if self.desk.sweep(now):
                self.nudge()

        self._attempt("the sweep of time standards", sweep)
        self._swept_at = self._clocks.monotonic()

    def _verify(self) -> None:
        def verify(now: datetime) -> None:
            verdict = verify_ledger(self._store)
            if verdict.problem is None:
                self.figures.verified(now)
            else:
                log.error("%s Run 'sigap verify' and keep the last backup.", verdict.problem.en)

        self._attempt("ledger verification", verify)

    def _clean_up(self) -> None:
        def clean_up(now: datetime) -> None:
            Sessions(self._store).clean_up(now)

        self._attempt("removal of old sessions", clean_up)

    def _refresh(self) -> None:
        while not self._stopping:
            self._nudged.clear()
            self._attempt("update of incident metrics", self.figures.refresh)
            self._nudged.wait(REFRESH_SECONDS)

    def _attempt(self, what: str, work: Callable[[datetime], None]) -> None:
        """Run one job; an unavailable store is logged once, and once more when it is available
        again.
        """
        try:
            work(self._clocks.now())
        except StoreUnavailable as error:
            if what not in self._away and not self._stopping:
                log.error("%s postponed, store unavailable: %s", what, error)
            self._away.add(what)
            return
        except Exception:  # the next run must come, whatever this one met
            log.exception("%s failed unexpectedly; please report this", what)
            return
        if what in self._away:
            self._away.discard(what)
            log.warning("%s resumed, store available again", what)

    def _own(self) -> Sequence[Any]:
        return [
            CounterMetricFamily(
                "sigap_desk_jobs_skipped",
                "Runs of the desk's periodic jobs that were skipped or late.",
                value=self._skipped,
            )
        ]
