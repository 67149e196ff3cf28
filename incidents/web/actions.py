"""Runs a person's action through the desk; shared by the pages and the API.

The desk decides inside its transaction; a refusal is returned as a ``RequestError``
with the HTTP status of its kind.
"""

from __future__ import annotations

from incidents.web.access.auth import Member
from incidents.web.access.problem import RequestError, problem_of
from incidents.web.rendering import Site
from incidents.workflow.actions import Action, ActionRefused


def attempt(site: Site, number: str, action: Action, member: Member) -> RequestError | None:
    """Run the action; returns the problem when it is not allowed."""
    try:
        site.desk.act(number, action, member.signer, member.now)
    except ActionRefused as refused:
        return problem_of(refused.refusal)
    return None
