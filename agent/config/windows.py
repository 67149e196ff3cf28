"""Builds maintenance windows from agent.yaml.

A target or cluster that does not exist is a problem, because the work would not be covered.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

from agent.config.models import WindowSection
from agent.runtime.maintenance import DAYS, LONGEST, Window
from files.problems import Path, Problems, nearest
from probes import Target


def windows(
    problems: Problems, at: Path, sections: Iterable[WindowSection], targets: Iterable[Target]
) -> Iterator[Window]:
    """The windows of the list at ``at`` without problems; the problems of the others are
    recorded.
    """
    known = tuple(targets)
    for index, section in enumerate(sections):
        place = (*at, index)
        before = len(problems.found)
        _check_names(problems, place, section, known)
        window = _window(problems, place, section)
        if window is not None and len(problems.found) == before:
            yield window


def _check_names(
    problems: Problems, at: Path, section: WindowSection, known: tuple[Target, ...]
) -> None:
    for key, given, names in (
        ("targets", section.targets, {target.name for target in known}),
        ("clusters", section.clusters, {target.cluster for target in known if target.cluster}),
    ):
        for index, name in enumerate(given):
            if name not in names:
                problems.at(
                    (*at, key, index), f"{name!r} is not a configured name; {nearest(name, names)}"
                )


def _window(problems: Problems, at: Path, section: WindowSection) -> Window | None:
    try:
        zone = ZoneInfo(section.zone)
    except (LookupError, ValueError, OSError):
        problems.at(
            (*at, "zone"), f"{section.zone!r} is not a time zone; write it like Asia/Makassar"
        )
        return None
    once = bool(section.from_ or section.to)
    again = bool(section.days or section.at or section.lasts)
    if once == again:
        problems.at(at, "needs either 'from' and 'to' (once), or 'at' and 'lasts' (recurring)")
        return None
    if once:
        return _once(problems, at, section, zone)
    return _again(problems, at, section)


def _once(problems: Problems, at: Path, section: WindowSection, zone: ZoneInfo) -> Window | None:
    start = _instant(problems, (*at, "from"), section.from_, zone)
    end = _instant(problems, (*at, "to"), section.to, zone)
    if start is None or end is None:
        return None
    if not timedelta() < end - start <= LONGEST:
        problems.at((*at, "to"), "must come after 'from', by at most 7 days")
        return None
    return Window(
        section.name,
        frozenset(section.targets),
        frozenset(section.clusters),
        start=start.astimezone(UTC),
        end=end.astimezone(UTC),
    )


def _again(problems: Problems, at: Path, section: WindowSection) -> Window | None:
    try:
        begins = time.fromisoformat(section.at)
    except ValueError:
        problems.at((*at, "at"), f"must be a time of day, e.g. 22:00, not {section.at!r}")
        return None
    if section.lasts is None or timedelta(seconds=section.lasts) > LONGEST:
        problems.at((*at, "lasts"), "needs 'lasts', e.g. 2h, at most 7d")
        return None
    if begins.tzinfo is not None:
        problems.at((*at, "at"), "must not contain a zone; set 'zone' instead")
        return None
    return Window(
        section.name,
        frozenset(section.targets),
        frozenset(section.clusters),
        days=frozenset(DAYS.index(day) for day in section.days or DAYS),
        at=begins,
        lasts=timedelta(seconds=section.lasts),
        zone=section.zone,
    )


def _instant(problems: Problems, at: Path, text: str, zone: ZoneInfo) -> datetime | None:
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        problems.at(at, f"must be a date and time, e.g. 2026-11-28 22:00, not {text!r}")
        return None
    return found if found.tzinfo else found.replace(tzinfo=zone)
