"""Staff page: who holds which role today."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response

from incidents.web.access.auth import Here, Signed
from incidents.web.access.problem import RequestError
from probes import Text

router = APIRouter()
LEADERS = ("KD", "PA")
FOR_LEADERS = Text(
    "The list of people is for the head of agency and the head of the ICT division only."
)


@router.get("/people")
def show(request: Request, site: Here, member: Signed) -> Response:
    """Read only: accounts and letters of assignment are kept with ``sigap people``."""
    if not any(member.signer.holds(role) for role in LEADERS):
        raise RequestError(403, "role", FOR_LEADERS)
    on = site.today(member.now)
    staff = [
        (
            person,
            site.people.assignments(person.username),
            site.people.roles_today(person.username, on),
        )
        for person in site.people.all()
    ]
    return site.render(request, member, "people.html", staff=staff, today=on)
