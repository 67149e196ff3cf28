"""Opens store, procedure, calendar and people, for the daemon and the command line.

Raises ``OpeningError`` with one sentence and the next move.
"""

from __future__ import annotations

from dataclasses import dataclass

from agent.config import Config
from agent.errors import LocalizedError
from incidents.calendar import load as calendar
from incidents.calendar.load import Calendar, CalendarError
from incidents.desk import Desk
from incidents.documents.model import Office
from incidents.people.accounts import People
from incidents.procedure import load as procedure
from incidents.procedure.load import Procedure, ProcedureError
from incidents.store import Bound, Store, StoreUnavailable, open_store
from probes import Text, registry
from probes.wire import deadline

_NO_STORE = Text(
    "{file} names no store, so this agent keeps no incidents; "
    "add e.g. 'store: sqlite:////var/lib/sigap/sigap.db'"
)


class OpeningError(LocalizedError):
    """The desk cannot be opened; one sentence (several for a procedure file's problems)."""


@dataclass(frozen=True, slots=True)
class Opened:
    """An open desk with its store, people and calendar."""

    store: Store
    desk: Desk
    people: People
    procedure: Procedure
    calendar: Calendar
    office: Office


def open_desk(config: Config, *, wait: bool = False, reading: bool = False) -> Opened:
    """Open the store the configuration names. Raises ``OpeningError``.

    With ``wait`` a store that does not answer now is no error here; using it is one until it
    answers. With ``reading`` a file that is not writable is opened read-only.
    """
    if config.store is None:
        raise OpeningError(_NO_STORE.format(file=config.file))
    try:
        steps = procedure.load(config.procedure)
        hours = calendar.load(config.calendar)
    except (ProcedureError, CalendarError) as error:
        # In English, like a configuration's problems: they name keys and lines of a file.
        raise OpeningError(Text.verbatim(str(error))) from error
    given = config.office.model_dump(exclude_none=True)
    if "copies" in given:
        given["copies"] = tuple(given["copies"])
    office = Office(**{**steps.office, **given})
    try:
        address = config.store.reveal()
        store = open_store(address, _bound(address), wait=wait, reading=reading)
        desk = Desk(store, steps, hours, office)
        people = People(store, desk.queries.roles_in_use)
        return Opened(store, desk, people, steps, hours, office)
    except StoreUnavailable as error:
        raise OpeningError(error.sentence) from error


def _bound(store: str) -> Bound:
    if store.startswith("postgresql"):
        # psycopg2 has one way to wait for a whole process; the engine of that name puts it there.
        registry.engine("postgresql")
    return deadline.each_wait
