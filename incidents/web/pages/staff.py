"""Staff page: who holds which role today."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response

from incidents.procedure.model import Right
from incidents.web.access.auth import Here, Looking
from incidents.web.access.problem import RequestError
from probes import Text

router = APIRouter()
ONLY_FOR = Text("The list of people is only for: {roles}.")


@router.get("/people")
def show(request: Request, site: Here, look: Looking) -> Response:
    """Read only: accounts and letters of assignment are kept with ``sigap people``."""
    with look() as (seen, member):
        if not site.may_see_people(member.signer):
            able = site.desk.present_procedure.with_right(Right.SEE_PEOPLE)
            raise RequestError(
                403, "role", ONLY_FOR.format(roles=Text.joined(", ", [role.title for role in able]))
            )
        everybody = seen.everybody()
    on = site.today(member.now)
    staff = [
        (person, letters, tuple(each for each in letters if each.valid(on)))
        for username, person in everybody.people.items()
        for letters in [everybody.assignments[username]]
    ]
    return site.render(request, member, "people.html", staff=staff, today=on)
