"""Chooses the open incident that a finding belongs to: one fault, one incident.

``correlation.yaml`` lists which finding explains which; its rules are tried in order. A finding
joins as a symptom of what explains it, or as the root of what it explains; otherwise it opens its
own incident. Decisions 5, 14 and 16 have the reasons.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import Enum

from incidents.correlation.table import ANY, CausalRule, FindingPattern, Scope, Table, shipped
from incidents.model import Incident, Trouble
from probes import Finding, Fingerprint, Severity, Text


@dataclass(frozen=True, slots=True)
class Match:
    """Where a finding belongs. ``number`` empty: in no open incident yet."""

    number: str = ""
    known: bool = False  # the incident already holds this fingerprint
    root: bool = False  # joins as the cause of what is there (re-titles the incident)
    rule: str = ""  # the name of the rule that decided
    because: Text = Text("")  # the table's words for the timeline


@dataclass(frozen=True, slots=True)
class Drawn:
    """A trouble that a new incident takes over, as a symptom, from another one."""

    number: str  # of the incident that has it now
    trouble: Trouble
    because: Text


@dataclass(frozen=True, slots=True)
class _Sight:
    """The properties of finding and open finding that the table compares."""

    target: str
    family: str
    measure: str
    subject: str
    severity: Severity
    since: datetime
    about: Mapping[str, str]
    reason: str

    def is_a(self, kind: FindingPattern) -> bool:
        family = kind.family in (ANY, self.family) and self.family not in kind.but
        return (
            family
            and (not kind.measures or self.measure in kind.measures)
            and (not kind.reasons or self.reason in (ANY, *kind.reasons))
        )


_Sights = Sequence[tuple[Trouble, _Sight]]


def match(
    finding: Finding, open_incidents: Iterable[Incident], table: Table | None = None
) -> Match:
    """The open incident that ``finding`` belongs to, and its place in it.

    The incident that already has the fingerprint comes first; then the table's rules in their
    order, the oldest incident first. A clear finding joins nothing new.

    A finding that was clear and returns is placed again: it belongs to what explains it now. If
    nothing does, a symptom is a fault of its own, and so is a root that fails in another way; the
    same root failing in the same way is flapping, and so is one that returns with a lower severity.
    """
    table = table or shipped()
    incidents = sorted(open_incidents, key=lambda each: (each.opened_at, each.number))
    holder, held = _holder(finding, incidents)
    if held is not None and held.severity > Severity.CLEAR:
        return Match(holder, known=True)
    if finding.severity is Severity.CLEAR:
        return Match(holder, known=held is not None)
    found = _of_finding(finding)
    holders = {each.number for each in incidents if _trouble_of(finding, each) is not None}
    near = [
        (incident.number, sights)
        for incident in incidents
        if (
            sights := [
                (each, _of_trouble(each)) for each in incident.troubles if _near(found, each)
            ]
        )
    ]
    for rule in table.rules:
        for number, sights in near:
            cause = _explained(found, sights, rule)
            if cause is not None:
                if number in holders:
                    return Match(number, known=True)
                return Match(number, rule=rule.name, because=_because(rule, cause))
            if number not in holders and _explains(found, sights, rule):
                because = _because(rule, found)
                return Match(number, root=True, rule=rule.name, because=because)
    if held is not None and held.root and (held.cause == finding.cause or not finding.opens):
        return Match(holder, known=True)
    return Match()


class Parting(Enum):
    """What becomes of a symptom beside what explained it."""

    STAYS = "stays"
    TURNED = "turned"  # it fails in another way now, which is to be recorded
    LEAVES = "leaves"  # it outlasts its cause


def parting(finding: Finding, incident: Incident, table: Table) -> Parting:
    """Whether a finding that is still bad belongs to its incident any longer."""
    if not _may_part(finding, table):
        return Parting.STAYS
    if _turned(finding, incident, table):
        return Parting.TURNED
    return Parting.LEAVES if outlasts(finding, incident, table) else Parting.STAYS


def _may_part(finding: Finding, table: Table) -> bool:
    """Whether a rule with ``parts_minutes`` applies to such a finding at all; most do not."""
    found = replace(_of_finding(finding), reason=ANY)
    return any(rule.parts and any(map(found.is_a, rule.effects)) for rule in table.rules)


def outlasts(finding: Finding, incident: Incident, table: Table | None = None) -> bool:
    """Whether a symptom is still bad long after what explained it: the cause has cleared, or the
    symptom fails in a way that the cause does not explain.

    The rule that joined them sets the time (``parts_minutes``). The symptom stays while anything
    there still explains it, or if no such rule joined it.
    """
    mine = _trouble_of(finding, incident)
    if mine is None or mine.root:
        return False
    turned_at = mine.last_at if mine.cause == finding.cause else finding.at
    parts = False
    for trouble, rule, in_any_way in _ties(finding, incident, table or shipped()):
        over = turned_at if in_any_way else trouble.cleared_at
        if not in_any_way and (over is None or rule.parts is None):
            return False
        parts = parts or bool(over and rule.parts and finding.at - over >= rule.parts)
    return parts


def _turned(finding: Finding, incident: Incident, table: Table) -> bool:
    """Whether a symptom now fails in a way that nothing in its incident explains, and this is not
    recorded yet; from then on it counts as outlasting its cause.
    """
    mine = _trouble_of(finding, incident)
    if mine is None or mine.root or mine.cause == finding.cause:
        return False
    ties = [in_any_way for _, _, in_any_way in _ties(finding, incident, table)]
    return bool(ties) and all(ties)


def _trouble_of(finding: Finding, incident: Incident) -> Trouble | None:
    found = (each for each in incident.troubles if each.fingerprint == str(finding.fingerprint))
    return next(found, None)


def _ties(
    finding: Finding, incident: Incident, table: Table
) -> Iterator[tuple[Trouble, CausalRule, bool]]:
    """The findings of its incident that explain a finding, open or cleared, and the rule; the last
    value: only if it failed in another way than it does.
    """
    found = _of_finding(finding)
    for trouble in incident.troubles:
        if trouble.fingerprint == str(finding.fingerprint):
            continue
        for sight in (found, replace(found, reason=ANY)):
            rule = _rule_between(_of_trouble(trouble), sight, table, standing=False)
            if rule is not None:
                yield trouble, rule, sight is not found
                break


def drawn_in(
    finding: Finding,
    open_incidents: Iterable[Incident],
    table: Table | None = None,
    *,
    left: str = "",
) -> list[Drawn]:
    """What a fault that now opens its own incident explains in the open ones, with the rule's text.

    Only findings that had cleared and returned with it (their first occurrence belongs to another
    fault and stays in that incident), and its own symptoms in the incident ``left``, of which it
    was a part until now.
    """
    table = table or shipped()
    found = _of_finding(finding)
    return [
        Drawn(incident.number, trouble, _because(rule, found))
        for incident in open_incidents
        for trouble in incident.troubles
        if trouble.severity > Severity.CLEAR
        and trouble.fingerprint != str(finding.fingerprint)
        and (
            incident.number == left
            or (trouble.raised_count > 1 and finding.at - trouble.last_at <= table.lead)
        )
        for rule in [_rule_between(found, _of_trouble(trouble), table)]
        if rule is not None
    ]


def _rule_between(
    found: _Sight, effect: _Sight, table: Table, *, standing: bool = True
) -> CausalRule | None:
    for rule in table.rules:
        if (
            not rule.root_only
            and found.is_a(rule.cause)
            and (found.severity >= rule.severity or not standing)
            and any(effect.is_a(kind) for kind in rule.effects)
            and _within(rule, found, effect)
        ):
            return rule
    return None


def _holder(finding: Finding, incidents: Iterable[Incident]) -> tuple[str, Trouble | None]:
    """The open incident that has this fingerprint; of several, the one still red, else the
    newest.
    """
    number, held = "", None
    for incident in incidents:
        for trouble in incident.troubles:
            if trouble.fingerprint == str(finding.fingerprint):
                if held is not None and held.severity > Severity.CLEAR:
                    continue
                number, held = incident.number, trouble
    return number, held


def _near(found: _Sight, trouble: Trouble) -> bool:
    """Whether any scope could contain both; most open incidents are elsewhere."""
    return found.target == trouble.target or any(
        found.about.get(word) and found.about[word] == trouble.about.get(word)
        for word in (_PLACES if _WIDE in (found.family, trouble.family) else _PLACES[:2])
    )


_PLACES = ("cluster", "host", "agent")
_WIDE = "reach"
"""The family of findings common to a whole agent; they explain nothing about its other targets."""


def _explained(found: _Sight, sights: _Sights, rule: CausalRule) -> _Sight | None:
    """What in the incident explains the finding by this rule."""
    if not any(found.is_a(effect) for effect in rule.effects):
        return None
    for trouble, cause in sights:
        if (
            (trouble.root or not rule.root_only)
            and cause.is_a(rule.cause)
            and _still_explains(trouble, found, rule)
            and _within(rule, cause, found)
        ):
            return cause
    return None


def _explains(found: _Sight, sights: _Sights, rule: CausalRule) -> bool:
    """Whether the finding is the late-reported cause of the incident's root."""
    if not found.is_a(rule.cause) or found.severity < rule.severity:
        return False
    for trouble, effect in sights:
        if (
            trouble.root
            and trouble.severity > Severity.CLEAR
            and trouble.raised_count == 1  # a cause explains the beginning, not a return
            and found.since - trouble.first_at <= rule.lead
            and any(effect.is_a(kind) for kind in rule.effects)
            and _within(rule, found, effect)
        ):
            return True
    return False


def _still_explains(trouble: Trouble, found: _Sight, rule: CausalRule) -> bool:
    """A cause explains what began while it was present, not older findings and not the next
    fault.
    """
    if found.since < trouble.first_at - rule.early:
        return False
    if trouble.cleared_at is not None:
        return found.since - trouble.cleared_at <= rule.linger
    return trouble.severity >= rule.severity


def _because(rule: CausalRule, cause: _Sight) -> Text:
    """The rule's text, as far as it is known to be true."""
    needs_role = rule.scope in (Scope.REPLICAS, Scope.POOLERS)
    return rule.unsure if needs_role and not cause.about.get("role") else rule.because


def _within(rule: CausalRule, cause: _Sight, effect: _Sight) -> bool:
    same_target = cause.target == effect.target
    same_cluster = _same(cause, effect, "cluster")
    roles = (cause.about.get("role", ""), effect.about.get("role", ""))
    match rule.scope:
        case Scope.TARGET:
            return same_target
        case Scope.SUBJECT:
            unnamed = not cause.subject or not effect.subject
            return same_target and (unnamed or cause.subject == effect.subject)
        case Scope.VOLUME:
            same_place = same_target or _same(cause, effect, "host")
            return same_place and cause.subject == effect.subject
        case Scope.REPLICAS:
            leads = _leads(cause, rule) and (roles[0] or roles[1] != "primary")
            return same_cluster and not same_target and bool(leads)
        case Scope.CLUSTER:
            return same_cluster
        case Scope.HOST:
            return same_target or _same(cause, effect, "host")
        case Scope.AGENT:
            return _same(cause, effect, "agent")
        case Scope.FELLOWS:
            return same_cluster and not same_target and roles == ("replica", "replica")
        case Scope.SIDES:
            ends = roles.count("primary") == 1 and "pooler" not in roles
            return same_cluster and not same_target and ends
        case Scope.POOLERS:
            behind = roles[1] == "pooler" and _leads(cause, rule)
            return same_cluster and not same_target and behind
        case Scope.PRIMARY:
            return same_cluster and not same_target and roles == ("replica", "primary")


def _leads(cause: _Sight, rule: CausalRule) -> bool:
    """Whether the cause is its cluster's primary or, if the rule has a text for it, may be: its
    role is not known yet, and no other server is known to be the primary.
    """
    role = cause.about.get("role", "")
    may_lead = not role and not cause.about.get("leader") and bool(rule.unsure.en)
    return role == "primary" or may_lead


def _same(cause: _Sight, effect: _Sight, word: str) -> bool:
    """Whether both name the same cluster or host; two without a name have none in common."""
    named = cause.about.get(word, "")
    return bool(named) and named == effect.about.get(word, "")


def _of_finding(finding: Finding) -> _Sight:
    return _Sight(
        target=finding.target,
        family=finding.family,
        measure=finding.measure,
        subject=finding.subject,
        severity=finding.severity,
        since=finding.since,
        about=finding.about,
        reason=finding.cause,
    )


def _of_trouble(trouble: Trouble) -> _Sight:
    named = Fingerprint.parse(trouble.fingerprint)
    return _Sight(
        target=trouble.target,
        family=trouble.family,
        measure=named.measure,
        subject=named.subject,
        severity=trouble.severity,
        since=trouble.first_at,
        about=trouble.about,
        reason=trouble.cause,
    )
