"""Random actions in any order: no step without its signature, nobody verifies their own work."""

from __future__ import annotations

from datetime import timedelta
from itertools import pairwise

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from incidents.ledger import payloads
from incidents.model import Decision, EventKind, Outcome, Signer, SignOff
from incidents.workflow import fold
from incidents.workflow.actions import AddNote, Claim, Dismiss, Dispense, Sign
from probes import Severity
from tests.incidents.builders import PROCEDURE, Case, at, finding, form, signer

# Few people with many roles: the ones who would check themselves if they could.
PEOPLE = (
    signer("siti", "PP", "AJ", "PW"),
    signer("sari", "PP", "PA", "AJ"),
    signer("sabar", "PW", "PA", "KD"),
    signer("surya", "PP", "AJ", "PW", "PA", "KD"),
    signer("tamu"),
)
WHO = st.sampled_from(PEOPLE)
MAY_CHECK = {5: (4,), 7: (4, 5, 6), 8: (4, 5, 6, 7)}
"""The separation of duties once more, by hand, so that a changed data file is noticed."""

BACK = {7: 5, 8: 7}


class Office(RuleBasedStateMachine):
    """One incident and a handful of people who try whatever comes to mind."""

    def __init__(self) -> None:
        super().__init__()
        self.now = at("2026-07-02 09:00")
        self.case = Case(self.now)

    @rule(minutes=st.integers(1, 3000))
    def time_passes(self, minutes: int) -> None:
        self.now += timedelta(minutes=minutes)

    @rule(
        who=WHO,
        decision=st.sampled_from(Decision),
        full=st.booleans(),
        stale=st.booleans(),
        right_step=st.sampled_from([True, True, True, False]),
    )
    def somebody_signs(
        self, who: Signer, decision: Decision, full: bool, stale: bool, right_step: bool
    ) -> None:
        step = self.case.incident.step if right_step else (self.case.incident.step % 9) + 1
        filled = form(step, decision) if full else {}
        version = self.case.incident.version - stale
        before = self.case.incident
        refused = self.case.act(Sign(step, decision, filled, version), who, self.now)
        if stale or not right_step:
            assert refused is not None
        if refused is not None:
            assert self.case.incident == before
            assert refused.reason.id and refused.reason.en

    @rule(decision=st.sampled_from([Decision.APPROVE, Decision.APPROVE, Decision.RETURN]))
    def somebody_who_may_signs(self, decision: Decision) -> None:
        """Without help chance rarely gets past step 7."""
        if self.case.incident.open:
            for person in PEOPLE:
                if self.case.sign(self.now, decision, who=person) is None:
                    return

    @rule(who=WHO)
    def somebody_claims(self, who: Signer) -> None:
        self.case.act(Claim(self.case.incident.version), who, self.now)

    @rule(who=WHO, text=st.sampled_from(["", "menunggu"]))
    def somebody_notes(self, who: Signer, text: str) -> None:
        self.case.act(AddNote(text), who, self.now)

    @rule(who=WHO, to=st.sampled_from([p.person.username for p in PEOPLE]), step=st.integers(1, 9))
    def somebody_grants(self, who: Signer, to: str, step: int) -> None:
        grant = Dispense(step, to, "alasan", self.case.incident.version)
        self.case.act(grant, who, self.now)

    @rule(who=WHO, outcome=st.sampled_from(Outcome))
    def somebody_dismisses(self, who: Signer, outcome: Outcome) -> None:
        action = Dismiss(outcome, "keliru", self.case.incident.version, "GDB-2026-0009")
        self.case.act(action, who, self.now)

    @precondition(lambda self: self.case.incident.open)
    @rule(severity=st.sampled_from(Severity))
    def the_probe_speaks(self, severity: Severity) -> None:
        seen = finding(severity=severity, when=self.now)
        if severity is Severity.CLEAR:
            self.case.write(EventKind.CLEARED, self.now, "sigap", payloads.cleared(seen))
        else:
            self.case.write(EventKind.OBSERVED, self.now, "sigap", payloads.observed(seen))

    @invariant()
    def replay_equals_live(self) -> None:
        assert fold.fold(self.case.events, PROCEDURE) == self.case.incident

    @invariant()
    def no_step_is_done_without_its_signature(self) -> None:
        visits = self.case.incident.visits
        waiting = visits[-1:] if self.case.incident.open else ()
        for visit in visits:
            assert (visit.signoff is None) == (visit in waiting)
        if self.case.incident.outcome is Outcome.RESOLVED:
            assert {visit.step for visit in visits} == set(range(1, 10))

    @invariant()
    def every_step_leads_where_the_sop_says(self) -> None:
        for visit, following in pairwise(self.case.incident.visits):
            assert visit.signoff is not None
            returned = visit.signoff.decision is Decision.RETURN
            assert following.step == (BACK[visit.step] if returned else visit.step + 1)
            assert following.entered_at == visit.signoff.at

    @invariant()
    def every_signature_is_of_the_right_role(self) -> None:
        for visit, signoff in self._signed():
            assert signoff.role == PROCEDURE.step(visit).role
            person = next(p for p in PEOPLE if p.person.username == signoff.username)
            assert person.holds(signoff.role) is not None

    @invariant()
    def nobody_checks_themselves(self) -> None:
        done: list[tuple[int, str]] = []
        free = {(grant.step, grant.username) for grant in self.case.incident.dispensations}
        for step, signoff in self._signed():
            earlier = {who for other, who in done if other in MAY_CHECK.get(step, ())}
            if (step, signoff.username) not in free:
                assert signoff.username not in earlier
            done.append((step, signoff.username))

    @invariant()
    def nobody_dispenses_themselves(self) -> None:
        for grant in self.case.incident.dispensations:
            assert grant.granted_by != grant.username

    @invariant()
    def the_version_counts_what_people_decided(self) -> None:
        counted = (
            EventKind.CLAIMED,
            EventKind.SIGNED,
            EventKind.DISMISSED,
            EventKind.DISPENSED,
        )
        decided = sum(event.kind in counted for event in self.case.events)
        assert self.case.incident.version == 1 + decided

    def _signed(self) -> list[tuple[int, SignOff]]:
        return [(v.step, v.signoff) for v in self.case.incident.visits if v.signoff is not None]


Office.TestCase.settings = settings(max_examples=60, stateful_step_count=40)
TestOffice = Office.TestCase
