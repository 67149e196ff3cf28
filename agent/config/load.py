"""Loads agent.yaml into the ``Config`` that the daemon runs on.

Returns a complete ``Config``, or raises ``ConfigError`` with every problem.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path as File
from typing import Any
from urllib.parse import quote, urlsplit, urlunsplit

from pydantic import ValidationError

from agent.config.explain import explain
from agent.config.models import OfficeSection, RootSection, WindowSection
from agent.config.secrets import SecretError, read_secret
from agent.config.source import Source, read
from agent.config.targets import targets
from agent.config.windows import windows
from agent.errors import UserError
from agent.runtime.maintenance import Window
from files.problems import Problem, Problems, in_order, unknown_key
from probes import Secret, Target

PLACES = ("agent.yaml", "/etc/sigap/agent.yaml")
LONGEST_DEADLINE_SECONDS = 5.0


class ConfigError(UserError):
    """The configuration cannot be used; ``problems`` holds every reason."""

    exit_code = 2

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = in_order(problems)
        super().__init__("\n".join(str(problem) for problem in self.problems))


@dataclass(frozen=True, slots=True)
class Config:
    """The whole configuration. Equal targets are equal values, so a reload can compare them."""

    file: File
    name: str
    host: str
    port: int
    public_url: str
    interval: float  # seconds
    deadline: float  # seconds
    language: str
    store: Secret | None  # an SQLAlchemy URL, perhaps with a password; None: probe-only
    procedure: str
    calendar: str
    office: OfficeSection
    targets: tuple[Target, ...]
    state: File | None = None  # folder for what is learned
    learn_after: float = 600.0  # seconds
    windows: tuple[Window, ...] = ()
    warnings: tuple[Problem, ...] = ()


def find(named: str | None, environment: Mapping[str, str] | None = None) -> File:
    """The configuration file: ``-c``, else ``SIGAP_CONFIG``, else the usual places.

    Raises ``ConfigError`` where there is none.
    """
    environment = os.environ if environment is None else environment
    chosen = named or environment.get("SIGAP_CONFIG")
    if chosen:
        return File(chosen)
    for place in PLACES:
        if os.path.isfile(place):  # unlike Path's, False where this account may not look
            return File(place)
    problems = Problems()
    here, there = PLACES
    problems.in_file(
        File(here),
        0,
        f"is not in this folder, nor is {there}; name the file with -c or SIGAP_CONFIG",
    )
    raise ConfigError(problems.found)


def load(
    file: File,
    environment: Mapping[str, str] | None = None,
    *,
    thorough: bool = False,
    logins: bool = True,
) -> Config:
    """Read and check the whole configuration. Raises ``ConfigError`` with every problem.

    ``thorough`` also checks what the desk would open: the procedure, the calendar, the store's
    folder (``agent.config.desk``). Without ``logins`` the targets' password files are not read, for
    commands that connect to no server and may not read them.
    """
    problems = Problems()
    source = read(file, problems, environment, logins)
    root = _root(source)
    name = root.agent.name or socket.gethostname()
    found = tuple(replace(target, agent=name) for target in targets(source))
    if not found and not problems.found:
        problems.at(("targets",), "has no server to monitor; add one under 'targets:'")
    store = _store(source, root)
    deadline = _deadline(problems, root)
    announced = tuple(_windows(source, root, found))
    steps, hours = _beside(file, root.procedure), _beside(file, root.calendar)
    if thorough and root.store:
        from agent.config import desk  # loads the desk's libraries, only where there is a desk

        desk.check(problems, store, steps, hours)
    if problems.found:
        raise ConfigError(problems.found)
    host, _, port = root.agent.listen.rpartition(":")
    return Config(
        file=file,
        name=name,
        host=host.strip("[]"),
        port=int(port),
        public_url=root.agent.public_url,
        interval=root.agent.interval,
        deadline=deadline,
        language=root.agent.language,
        store=store,
        procedure=steps,
        calendar=hours,
        office=root.office,
        targets=found,
        state=_state(source, root, store),
        learn_after=root.agent.learn_after,
        windows=announced,
        warnings=tuple(problems.warnings),
    )


def _root(source: Source) -> RootSection:
    """The top-level sections; the targets are checked one by one elsewhere."""
    sections = {key: value for key, value in source.tree.items() if key != "targets"}
    known = tuple(RootSection.model_fields)
    for key in [key for key in sections if key not in known]:
        source.problems.at((key,), unknown_key(key, known))
        del sections[key]
    try:
        return RootSection.model_validate(sections)
    except ValidationError as error:
        explain(error, RootSection, (), source.problems)
        bad = {detail["loc"][0] for detail in error.errors()}  # the others are checked further
        return RootSection.model_validate({k: v for k, v in sections.items() if k not in bad})


def _deadline(problems: Problems, root: RootSection) -> float:
    interval, given = root.agent.interval, root.agent.deadline
    if given is None:
        return min(LONGEST_DEADLINE_SECONDS, max(1.0, interval / 2))
    if given > interval:
        problems.at(("agent", "deadline"), f"must not be longer than the interval ({interval:g}s)")
    return given


def _store(source: Source, root: RootSection) -> Secret | None:
    """The store's URL with its driver written out, its path absolute and its password in it."""
    url = root.store
    if not url:
        return None
    problems = source.problems
    scheme, _, rest = url.partition("://")
    if scheme == "sqlite":
        if not rest.startswith("/") or rest == "/":
            problems.at(("store",), "must be sqlite:///file (three slashes; four: absolute path)")
            return None
        path = problems.main.absolute().parent / rest[1:]
        return Secret(f"sqlite:///{path}")
    if scheme not in ("postgresql", "postgres", "postgresql+psycopg2"):
        problems.at(("store",), "must begin with sqlite:/// or postgresql+psycopg2://")
        return None
    url = f"postgresql+psycopg2://{rest}"
    if root.store_password_file:
        try:
            password = read_secret(
                root.store_password_file, problems.main.parent, source.environment
            )
        except SecretError as error:
            problems.at(("store_password_file",), str(error))
            return None
        url = _with_password(url, password)
    elif urlsplit(url).password and ("store",) not in source.substituted:
        problems.warn(("store",), "contains a password; move it to store_password_file")
    return Secret(url)


def _windows(source: Source, root: RootSection, found: tuple[Target, ...]) -> Iterator[Window]:
    """The windows of the whole office, then those of single targets."""
    yield from windows(source.problems, ("maintenance",), root.maintenance, found)
    listed = source.tree.get("targets")
    for index, raw in enumerate(listed if isinstance(listed, list) else ()):
        at = ("targets", index, "maintenance")
        name = raw.get("name") if isinstance(raw, dict) else None
        if isinstance(raw, dict) and raw.get("maintenance") and isinstance(name, str):
            for window in windows(source.problems, at, _sections(raw["maintenance"]), found):
                yield replace(window, targets=frozenset({name}), clusters=frozenset())


def _sections(raw: Any) -> list[WindowSection]:
    """What was checked with its target; a list with a mistake in it was noted there."""
    try:
        return [WindowSection.model_validate(each) for each in raw]
    except (ValidationError, TypeError):
        return []


def _state(source: Source, root: RootSection, store: Secret | None) -> File | None:
    """The state folder: as configured, beside the SQLite file, or where the service may write."""
    main = source.problems.main.absolute().parent
    if root.agent.state:
        return main / root.agent.state
    kind, _, path = store.reveal().partition(":///") if store else ("", "", "")
    if kind == "sqlite":
        return File(path).parent
    given = source.environment.get("STATE_DIRECTORY", "").partition(":")[0]
    return File(given) if given else main


def _with_password(url: str, password: str) -> str:
    parts = urlsplit(url)
    user, _, place = parts.netloc.rpartition("@")
    user = user.partition(":")[0]
    return urlunsplit(parts._replace(netloc=f"{user}:{quote(password, safe='')}@{place}"))


def _beside(file: File, name: str) -> str:
    """A shipped name as it is; a path beside the configuration file."""
    if "/" in name or name.endswith((".yaml", ".yml")):
        return str(file.absolute().parent / name)
    return name
