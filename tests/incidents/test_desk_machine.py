"""Random weeks at the desk, compared step by step with a simple model.

Findings come and go, people sign, return and try what is not allowed, the service restarts, the
clock jumps. The invariants at the end of this file always hold.
"""

from __future__ import annotations

import shutil
import tempfile
from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from incidents.ledger.verify import verify
from incidents.model import (
    Assignment,
    Change,
    Decision,
    EventKind,
    Incident,
    Outcome,
    Person,
    Signer,
)
from incidents.people.accounts import People
from incidents.store import open_store
from incidents.workflow import fold
from incidents.workflow.actions import ActionRefused, AddNote, Claim, Dismiss, RefusalKind, Sign
from probes import Severity
from tests.incidents.conftest import BOTH, new_database
from tests.incidents.office_of_five import (
    FIVE,
    MONDAY,
    desk_on,
    finding,
    form_for,
    procedure_kaltim,
    signer,
)

FAULTS = ("a", "b", "c")  # each in a cluster of its own, so that none explains another
ALL_ROLES = Signer(Person("serba", "Serba Bisa"), tuple(Assignment("serba", r) for r in FIVE))

faults = st.sampled_from(FAULTS)
picks = st.integers(0, 9)


class DeskMachine(RuleBasedStateMachine):
    """The real desk on a real store, beside ``self.model``: fingerprint -> what should be so."""

    new_url: Callable[[], str]  # of a store at the newest schema, without incidents

    def __init__(self) -> None:
        super().__init__()
        self.url = type(self).new_url()
        self.now = MONDAY
        self.model: dict[str, dict[str, Any]] = {
            name: {"open": "", "severity": Severity.CLEAR, "held": Severity.CLEAR, "past": ""}
            for name in FAULTS
        }
        self.opened = 0
        self.signatures: Counter[str] = Counter()

    @initialize()
    def begin(self) -> None:
        self.store = open_store(self.url)
        self.desk = desk_on(self.store)
        people = People(self.store)
        if people.person("serba") is None:
            people.add(ALL_ROLES.person, "gunung-batu-77", self.now)
            for each in ALL_ROLES.assignments:
                people.assign(each, self.now)

    def some_open(self, pick: int) -> Incident:
        open_ = self.desk.queries.open_incidents()
        return open_[pick % len(open_)]

    def any_open(self) -> bool:
        return any(each["open"] for each in self.model.values())

    # What happens.

    @rule(name=faults, severity=st.sampled_from(Severity), times=st.integers(1, 3))
    def state(self, name: str, severity: Severity, times: int) -> None:
        self.stated(name, severity, times)

    def stated(self, name: str, severity: Severity, times: int) -> None:
        for _ in range(times):
            expected = self.expected(name, severity)
            found = finding(severity, target=name, cluster=name, at=self.now)
            reported = self.desk.report(found, self.now)
            assert reported.change is expected
            known = self.model[name]
            if expected is Change.OPENED:
                self.opened += 1
                assert reported.number == f"GDB-2026-{self.opened:04d}"
                assert self.desk.queries.incident(reported.number).previous == known["past"]
                known["open"] = reported.number
            if known["open"]:
                known["severity"] = severity
            elif severity is Severity.CLEAR:
                known["held"] = Severity.CLEAR

    def expected(self, name: str, severity: Severity) -> Change:
        known = self.model[name]
        if known["open"]:
            if severity is known["severity"]:
                return Change.NOTHING
            return Change.CLEARED if severity is Severity.CLEAR else Change.OBSERVED
        opens = severity is Severity.CRITICAL and severity > known["held"]
        return Change.OPENED if opens else Change.NOTHING

    @precondition(any_open)
    @rule(pick=picks, returned=st.booleans(), everything=st.booleans())
    def sign(self, pick: int, returned: bool, everything: bool) -> None:
        incident = self.some_open(pick)
        step = procedure_kaltim().step(incident.step)
        can_return = returned and step.return_to is not None
        decision = Decision.RETURN if can_return else Decision.APPROVE
        by = ALL_ROLES if everything else signer(step.role)
        mine = {
            visit.step
            for visit in incident.visits
            if visit.signoff and visit.signoff.username == by.person.username
        }
        action = Sign(
            step.number, decision, form_for(step.number, decision, incident.red), incident.version
        )
        said = self.desk.queries.check_permission(incident, action, by, self.now)
        if mine & set(step.not_signed_by):
            self.must_refuse(incident, action, by, RefusalKind.SEPARATION)
            assert said is not None
            return
        assert said is None
        after = self.desk.sign(incident.number, action, by, self.now)
        self.signatures[incident.number] += 1
        assert after.version == incident.version + 1
        if not after.open:
            self.closed(incident.number, held=False)

    @precondition(any_open)
    @rule(pick=picks, role=st.sampled_from(sorted(FIVE)))
    def try_in_the_wrong_role(self, pick: int, role: str) -> None:
        incident = self.some_open(pick)
        step = procedure_kaltim().step(incident.step)
        if role != step.role:
            form = form_for(step.number, red=incident.red)
            action = Sign(step.number, Decision.APPROVE, form, incident.version)
            self.must_refuse(incident, action, signer(role), RefusalKind.ROLE)

    @precondition(any_open)
    @rule(pick=picks, behind=st.integers(1, 3))
    def try_from_a_stale_page(self, pick: int, behind: int) -> None:
        incident = self.some_open(pick)
        step = procedure_kaltim().step(incident.step)
        form = form_for(step.number, red=incident.red)
        action = Sign(step.number, Decision.APPROVE, form, incident.version - behind)
        self.must_refuse(incident, action, signer(step.role), RefusalKind.STALE)

    def must_refuse(self, incident: Incident, action: Sign, by: Signer, kind: RefusalKind) -> None:
        head = self.desk.queries.ledger_head()
        with pytest.raises(ActionRefused) as caught:
            self.desk.sign(incident.number, action, by, self.now)
        assert caught.value.refusal.kind is kind
        assert self.desk.queries.ledger_head() == head

    @precondition(any_open)
    @rule(pick=picks)
    def claim_and_note(self, pick: int) -> None:
        incident = self.some_open(pick)
        by = signer(procedure_kaltim().step(incident.step).role)
        self.desk.note(incident.number, AddNote("Menunggu vendor"), by, self.now)
        visit = incident.visit
        if visit is not None and visit.claimed_by != by.person.username:
            self.desk.claim(incident.number, Claim(incident.version), by, self.now)

    @precondition(any_open)
    @rule(pick=picks)
    def dismiss(self, pick: int) -> None:
        incident = self.some_open(pick)
        if incident.step == 1:
            form = form_for(1, red=incident.red)
            signed = Sign(1, Decision.APPROVE, form, incident.version)
            incident = self.desk.sign(incident.number, signed, signer("PP"), self.now)
            self.signatures[incident.number] += 1
        action = Dismiss(Outcome.NOT_A_DISRUPTION, "uji beban", incident.version)
        if incident.step == 2:
            self.desk.dismiss(incident.number, action, signer("PA"), self.now)
            self.signatures[incident.number] += 1
            self.closed(incident.number, held=True)
            for name, known in self.model.items():
                if known["held"]:
                    self.stated(name, Severity.CRITICAL, 1)
        else:
            with pytest.raises(ActionRefused):
                self.desk.dismiss(incident.number, action, signer("PA"), self.now)

    def closed(self, number: str, held: bool) -> None:
        for known in self.model.values():
            if known["open"] == number:
                known.update(
                    open="",
                    past=number,
                    held=known["severity"] if held else Severity.CLEAR,
                    severity=Severity.CLEAR,
                )

    @rule(minutes=st.sampled_from([1, 14, 31, 61, 24 * 60, 4 * 24 * 60, -5]))
    def clock_jumps(self, minutes: int) -> None:
        self.now += timedelta(minutes=minutes)

    @rule()
    def sweep(self) -> None:
        self.desk.sweep(self.now)
        assert self.desk.sweep(self.now) == 0

    @rule()
    def restart(self) -> None:
        self.store.close()
        self.store = open_store(self.url)
        self.desk = desk_on(self.store)

    # What always holds.

    @invariant()
    def at_most_one_open_incident_per_finding(self) -> None:
        holders = Counter(
            trouble.fingerprint
            for incident in self.desk.queries.open_incidents()
            for trouble in incident.troubles
        )
        assert set(holders.values()) <= {1}
        assert {i.number for i in self.desk.queries.open_incidents()} == {
            known["open"] for known in self.model.values() if known["open"]
        }

    @invariant()
    def every_incident_is_the_fold_of_its_events(self) -> None:
        for row in self.desk.queries.search("all", limit=200).rows:
            incident = self.desk.queries.incident(row.number)
            events = self.desk.queries.events(row.number)
            assert fold.fold(events, procedure_kaltim()) == incident
            assert (row.version, row.step, row.open, row.red) == (
                incident.version,
                incident.step,
                incident.open,
                incident.red,
            )
            self.no_step_is_done_without_its_signature(incident)
            self.a_breach_is_recorded_once_and_at_its_deadline(incident)

    def no_step_is_done_without_its_signature(self, incident: Incident) -> None:
        done = incident.visits[:-1] if incident.open else incident.visits
        assert all(visit.signoff is not None for visit in done)
        assert len(done) == self.signatures[incident.number]
        assert len(self.desk.queries.documents(incident.number)) == len(done)
        signed: dict[int, set[str]] = {}
        for visit in done:
            assert visit.signoff is not None
            for earlier in procedure_kaltim().step(visit.step).not_signed_by:
                assert visit.signoff.username not in signed.get(earlier, set())
            signed.setdefault(visit.step, set()).add(visit.signoff.username)

    def a_breach_is_recorded_once_and_at_its_deadline(self, incident: Incident) -> None:
        clocks = self.desk.queries.clocks(incident.number, self.now)
        due = {(c.step, c.attempt): c.due_at for c in clocks.steps}
        due[(0, clocks.overall.attempt)] = clocks.overall.due_at
        seen = set()
        for line in self.desk.queries.timeline(incident.number):
            if line.kind is EventKind.BREACHED:
                which = (line.detail["step"], line.detail["attempt"])
                assert which not in seen
                assert line.at == due[which]
                seen.add(which)

    def teardown(self) -> None:
        if hasattr(self, "store"):
            assert verify(self.store).problem is None
            self.store.close()


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("kind", BOTH)
def test_random_weeks_at_the_desk_keep_every_promise(
    kind: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    if kind == "sqlite":
        template = tmp_path / "template.db"
        open_store(f"sqlite:///{template}").close()

        def new_url() -> str:
            folder = Path(tempfile.mkdtemp(dir=tmp_path))
            return f"sqlite:///{shutil.copy(template, folder / 'sigap.db')}"

        examples = 40
    else:
        server = request.getfixturevalue("store_server")
        migrated = request.getfixturevalue("migrated")

        def new_url() -> str:
            return new_database(server, migrated)

        examples = 10
    machine = type("Machine", (DeskMachine,), {"new_url": staticmethod(new_url)})
    run_state_machine_as_test(
        machine,
        settings=settings(max_examples=examples, stateful_step_count=30, deadline=None),
    )
