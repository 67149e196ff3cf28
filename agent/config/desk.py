"""Checks that the configured store, procedure and calendar can be opened.

Checks what depends on the machine (the store's folder, the procedure's and calendar's files) and
records each problem with its place. It parses two files, so only ``check-config`` runs it; a start
finds the same problems when it opens them. Imports the desk's libraries.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path as File

from files.problems import Problems, nearest
from incidents.calendar import load as calendar
from incidents.calendar.load import CalendarError
from incidents.procedure import load as procedure
from incidents.procedure.load import ProcedureError
from incidents.store import objection
from probes import Secret

SHIPPED = File(procedure.__file__).parent.parent


def check(problems: Problems, store: Secret | None, steps: str, hours: str) -> None:
    """Record what would keep the desk from opening: ``steps`` and ``hours`` are the values of
    ``procedure:`` and ``calendar:``, a shipped name or a path.
    """
    if store is not None:
        _place(problems, store)
    _named(problems, "procedure", steps, procedure.load)
    _named(problems, "calendar", hours, calendar.load)


def _place(problems: Problems, store: Secret) -> None:
    found = objection(store.reveal())
    if found is not None:
        problems.at(("store",), found.en)


def _named(problems: Problems, key: str, name: str, load: Callable[[str], object]) -> None:
    """One shipped name or file."""
    shipped = {file.stem for file in (SHIPPED / f"{key}s").glob("*.yaml")}
    if name not in shipped and not File(name).is_absolute():
        problems.at(
            (key,),
            f"'{name}' is not shipped ({nearest(name, shipped)}); "
            "a file of your own is named by a path that ends in .yaml",
        )
        return
    try:
        load(name)
    except (ProcedureError, CalendarError) as error:
        for problem in error.problems:
            problems.at((key,), str(problem))
