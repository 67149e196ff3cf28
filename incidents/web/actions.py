"""Runs a person's action through the desk; shared by the pages and the API.

The desk decides inside its transaction; a refusal is returned as a ``RequestError``
with the HTTP status of its kind.
"""

from __future__ import annotations

from incidents.web.access.auth import Member
from incidents.web.access.problem import RequestError, problem_of
from incidents.web.rendering import Site
from incidents.workflow import actions
from incidents.workflow.actions import Action, ActionRefused


def attempt(site: Site, number: str, action: Action, member: Member) -> RequestError | None:
    """Run the action; returns the problem when it is not allowed."""
    try:
        _do(site, number, action, member)
    except ActionRefused as refused:
        return problem_of(refused.refusal)
    return None


def _do(site: Site, number: str, action: Action, member: Member) -> None:
    desk, signer, now = site.desk, member.signer, member.now
    match action:
        case actions.Sign():
            desk.sign(number, action, signer, now)
        case actions.Claim():
            desk.claim(number, action, signer, now)
        case actions.Dismiss():
            desk.dismiss(number, action, signer, now)
        case actions.Note():
            desk.note(number, action, signer, now)
        case actions.Dispense():
            desk.dispense(number, action, signer, now)
