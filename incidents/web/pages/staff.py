"""Staff page: who holds which role today."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response

from incidents.procedure.model import Right
from incidents.web.access.auth import Here, Signed
from incidents.web.access.problem import RequestError
from probes import Text

router = APIRouter()
ONLY_FOR = Text("The list of people is only for: {roles}.")


@router.get("/people")
def show(request: Request, site: Here, member: Signed) -> Response:
    """Read only: accounts and letters of assignment are kept with ``sigap people``."""
    if not site.may_see_people(member.signer):
        able = site.desk.present_procedure.with_right(Right.SEE_PEOPLE)
        raise RequestError(
            403, "role", ONLY_FOR.format(roles=Text.joined(", ", [role.title for role in able]))
        )
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
