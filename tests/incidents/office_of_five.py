"""An office with one person per role, and forms filled in by them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from functools import cache
from typing import Any

from sqlalchemy import insert

from incidents.calendar import load as calendar
from incidents.calendar.load import Calendar
from incidents.desk import Desk
from incidents.documents.model import Office
from incidents.model import Assignment, Decision, Incident, Person, Signer
from incidents.people.accounts import People
from incidents.people.passwords import hashed
from incidents.procedure import load as procedure
from incidents.procedure.load import Field, FieldKind, Procedure
from incidents.store import Store, tables
from incidents.workflow.actions import Sign
from probes import Finding, Severity
from tests.support.words import both

MONDAY = datetime(2026, 7, 6, 0, 0, tzinfo=UTC)  # 08.00 WITA on a working Monday
DAY = date(2026, 7, 6)
MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)

FIVE = {
    "AJ": Person("andi", "Andi Saputra, S.Kom.", "199001012015031001", "Administrator Jaringan"),
    "PP": Person("putri", "Putri Lestari, S.T.", "199202022016042002", "Pengelola TI"),
    "PW": Person("wahyu", "Wahyu Hidayat, M.T.", "198303032008051003", "Kepala Seksi"),
    "PA": Person("agus", "Agus Salim, M.Si.", "197504042000061004", "Kepala Bidang TIK"),
    "KD": Person("kartika", "Dr. Kartika Dewi", "197005051995072005", "Kepala Dinas"),
}
PASSWORD = "rahasia-kantor-88"


@cache
def procedure_kaltim() -> Procedure:
    return procedure.load("kaltim")


@cache
def calendar_kaltim() -> Calendar:
    return calendar.load("kaltim")


def signer(*roles: str, who: str = "") -> Signer:
    """A person who holds these roles; by default the holder of the first."""
    person = FIVE[roles[0]]
    if who:
        person = Person(who, who.title())
    return Signer(person, tuple(Assignment(person.username, role) for role in roles))


@cache
def _kept_password() -> str:
    return hashed(PASSWORD)


def hire(store: Store, now: datetime = MONDAY) -> None:
    """Give all five an account and their role; one hash for all, since hashing takes its time."""
    with store.write() as connection:
        for person in FIVE.values():
            connection.execute(
                insert(tables.people).values(
                    username=person.username,
                    name=person.name,
                    nip=person.nip,
                    position=person.position,
                    rank=person.rank,
                    email=person.email,
                    language=person.language,
                    active=1,
                    password=_kept_password(),
                    created_at=now,
                    changed_at=now,
                )
            )
    people = People(store)
    for role, person in FIVE.items():
        people.assign(Assignment(person.username, role), now)


def desk_on(store: Store, hired: bool = True) -> Desk:
    """A desk with its five people."""
    if hired and not People(store).all():
        hire(store)
    return Desk(store, procedure_kaltim(), calendar_kaltim(), Office(place="Samarinda"))


def finding(
    severity: Severity = Severity.CRITICAL,
    *,
    target: str = "simpeg-primary",
    measure: str = "up",
    family: str = "availability",
    at: datetime = MONDAY,
    subject: str = "",
    cluster: str = "simpeg",
    opens: bool | None = None,
    **more: Any,
) -> Finding:
    """A verdict as the judge states it."""
    return Finding(
        target=target,
        probe=more.pop("probe", "availability"),
        measure=measure,
        subject=subject,
        severity=severity,
        title=both(f"{target}: gangguan {measure}", f"{target}: trouble with {measure}"),
        hint=both("Periksa layanannya.", "Check the service."),
        family=family,
        at=at,
        since=more.pop("since", at),
        opens=severity is Severity.CRITICAL if opens is None else opens,
        about={
            "engine": "postgresql",
            "cluster": cluster,
            "application": "SIMPEG",
            "agency": "BKD",
            "host": more.pop("host", ""),
            "role": more.pop("role", "primary"),
        },
        **more,
    )


def form_for(
    step: int, decision: Decision = Decision.APPROVE, red: bool = True, **answers: Any
) -> dict[str, Any]:
    """A complete form of a step."""
    form: dict[str, Any] = {}
    for field in procedure_kaltim().step(step).form:
        when = field.required_when
        wanted = field.required or (
            when is not None
            and not when.field
            and (when.decision is None or when.decision is decision)
            and (when.red is None or when.red == red)
        )
        if wanted:
            form[field.name] = _answer(field)
    return {**form, **answers}


def _answer(field: Field) -> Any:
    match field.kind:
        case FieldKind.CHOICE:
            return field.options[0].value
        case FieldKind.YESNO:
            return field.name != "breach"
        case FieldKind.DATETIME:
            return "2026-07-06T08:00:00+08:00"
        case FieldKind.PEOPLE:
            return [FIVE[field.role or "AJ"].username]
        case FieldKind.NUMBER:
            return 1
        case _:
            return f"isian {field.name}"


def sign_step(
    desk: Desk,
    number: str,
    now: datetime,
    decision: Decision = Decision.APPROVE,
    by: Signer | None = None,
    **answers: Any,
) -> Incident:
    """The right person signs the step that waits."""
    incident = desk.queries.incident(number)
    role = procedure_kaltim().step(incident.step).role
    form = form_for(incident.step, decision, incident.red, **answers)
    action = Sign(incident.step, decision, form, incident.version)
    return desk.sign(number, action, by or signer(role), now)


def walk(
    desk: Desk, number: str, until: int, now: datetime, answers: Mapping[int, Any] | None = None
) -> datetime:
    """Sign every step up to, not including, ``until``, a minute apart; returns the time then."""
    while desk.queries.incident(number).open and desk.queries.incident(number).step != until:
        now += MINUTE
        sign_step(
            desk, number, now, **((answers or {}).get(desk.queries.incident(number).step) or {})
        )
    return now
