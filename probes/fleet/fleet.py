"""Derives all readings that follow from one reading, or from several targets together."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta

from prometheus_client.core import Metric

from probes import Finding, Severity, Target
from probes.fleet import reachability
from probes.fleet.cluster_roles import ClusterRoles
from probes.fleet.members import MemberNotes, UnwrittenNotes
from probes.fleet.membership import Membership, role_of
from probes.fleet.observation import Observation
from probes.fleet.plan import Plan
from probes.fleet.reachability import Reachability
from probes.fleet.self_cost import SelfCost
from probes.judge import Recalled
from probes.words.cost import Cost


@dataclass(slots=True)
class _Known:
    """What is known of one target; used by its own thread."""

    membership: Membership
    cost: SelfCost = field(default_factory=SelfCost)


class Fleet:
    """All targets of one agent, for what their readings show together."""

    def __init__(self, agent: str = "", notes: MemberNotes | None = None) -> None:
        """``agent``: the agent's own name in findings; ``notes``: learned members."""
        self._notes = notes if notes is not None else UnwrittenNotes()
        self._roles = ClusterRoles()
        self._reachability = Reachability(agent)
        self._known: dict[str, _Known] = {}

    def watch(self, targets: Sequence[Target]) -> frozenset[str]:
        """Monitor exactly these targets from now on; known facts are kept.

        Returns the names of what they share: clusters, hosts, the agent.
        """
        self._roles.take_seats(targets)
        self._reachability.take_seats(targets)
        return self._roles.clusters() | self._reachability.machines()

    def forget(self, target: str) -> None:
        """A target was removed from the configuration; its learned members stay in the notes."""
        self._known.pop(target, None)

    def restore(self, standing: Mapping[str, tuple[Recalled, ...]]) -> None:
        """The findings the desk has open at the start, by target, cluster, host or agent."""
        for name, findings in standing.items():
            if any(each.probe == reachability.PROBE.name for each in findings):
                self._reachability.restore(name)

    def derive(self, own: Observation, cost: Cost, *, announced: bool) -> list[Observation]:
        """A reading and all readings derived from it, in the order to report them.

        A common cause of several targets comes before the findings of single ones.
        ``announced``: a maintenance window is on for the target.
        """
        known = self._of(own.plan)
        derived = list(known.membership.derive(own, calm=not announced))
        derived += known.cost.derive(own, cost)
        self._roles.note_timeline(own)
        common: list[Observation] = []
        if own.probe.judged_on_failure:
            common += self._reachability.derive(own, announced=announced)
            expected = known.membership.role(own.plan.target)
            common += self._roles.derive(own, expected, role_of(own.reading))
        target, about = self._placed(own.plan.target, known.membership)
        alone = [own, *derived]
        if target is not own.target or about:
            alone = [replace(each, target=target, about=about) for each in alone]
        return common + alone

    def judged(self, findings: Iterable[Finding]) -> None:
        """Take in the verdicts on what several targets share."""
        self._reachability.judged(findings)

    def role(self, plan: Plan) -> str:
        """The role a target should have: declared or learned; empty: not known."""
        return self._of(plan).membership.role(plan.target)

    def partners(self, target: Target) -> list[str]:
        """The other ends of a target's replication."""
        return self._roles.partners(target)

    def patience(self, each: Observation, finding: Finding) -> float:
        """Seconds to delay an outage's report while other targets may turn out to be silent as
        well.
        """
        if finding.measure != each.probe.judged_on_failure or finding.severity is Severity.CLEAR:
            return 0.0
        return self._reachability.patience(each.target.name, each.plan.interval, each.plan.deadline)

    def collect(self) -> Iterator[Metric]:
        """Numbers over all targets, for /metrics."""
        yield from self._roles.collect()
        yield from self._reachability.collect()

    def _of(self, plan: Plan) -> _Known:
        name = plan.target.name
        known = self._known.get(name)
        if known is None:
            learn_after = timedelta(seconds=plan.learn_after)
            known = self._known[name] = _Known(Membership(name, self._notes, learn_after))
        return known

    def _placed(self, target: Target, membership: Membership) -> tuple[Target, dict[str, str]]:
        """The target with its role if known; otherwise, with the other server that is the
        primary.
        """
        role = membership.role(target) or membership.actual
        if role:
            return (replace(target, role=role) if role != target.role else target), {}
        leader = self._roles.leader(target)
        return target, {"leader": leader} if leader else {}
