"""Problems of a file that a person wrote: all at once, each with file, line and path."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path as File

from probes import Text

Path = tuple[str | int, ...]
"""A path in a file: keys and list indices from the top."""


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a value was written: the file, the line, and its path inside that file."""

    file: str
    line: int
    path: Path


@dataclass(frozen=True, slots=True)
class Problem:
    """One error (or warning) and its place."""

    file: str
    line: int  # 0: nowhere in particular
    path: str
    message: str

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}" if self.line else self.file
        return f"{place}: {self.path}: {self.message}" if self.path else f"{place}: {self.message}"


class InvalidFileError(ValueError):
    """A file that cannot be used; ``problems`` holds every reason with its place."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = in_order(problems)
        super().__init__("; ".join(str(problem) for problem in self.problems))


def in_order(problems: Iterable[Problem]) -> tuple[Problem, ...]:
    """Each problem once, by file and line."""
    return tuple(sorted(set(problems), key=lambda each: (each.file, each.line, each.path)))


def dotted(path: Path) -> str:
    """A path as people write it: ``targets[0].probes.blocked_sessions.every``."""
    text = ""
    for part in path:
        if isinstance(part, int):
            text += f"[{part}]"
        else:
            text += f".{part}" if text else part
    return text


def placed(origins: Mapping[Path, Origin], path: Path, message: str, file: str) -> Problem:
    """The problem at ``path``, located at the nearest written node above it if ``path`` itself is
    not written.

    ``file``: the file to name if nothing of the path is written.
    """
    written = path
    while written not in origins and written:
        written = written[:-1]
    origin = origins.get(written) or Origin(file, 0, ())
    shown = origin.path + path[len(written) :]
    return Problem(origin.file, origin.line, dotted(shown), message)


@dataclass(slots=True)
class Problems:
    """Collects problems and warnings, finding the line of each from its path."""

    main: File = File("agent.yaml")
    """The file to name for a problem without a written node."""
    found: list[Problem] = field(default_factory=list)
    warnings: list[Problem] = field(default_factory=list)
    origins: dict[Path, Origin] = field(default_factory=dict)

    def at(self, path: Path, message: str) -> None:
        """Record an error at ``path``."""
        self.found.append(placed(self.origins, path, message, str(self.main)))

    def warn(self, path: Path, message: str) -> None:
        """Record a warning."""
        self.warnings.append(placed(self.origins, path, message, str(self.main)))

    def in_file(self, file: File, line: int, message: str, path: Path = ()) -> None:
        """Record a problem of a file that has no merged path."""
        self.found.append(Problem(str(file), line, dotted(path), message))


def unknown_key(key: str, known: Iterable[str]) -> str:
    """The message for a key that nobody reads."""
    return f"unknown key; {nearest(key, known)}"


def nearest(word: str, known: Iterable[str]) -> str:
    """``meant`` in English, as all problems of a file are reported."""
    return meant(word, known).en


def meant(word: str, known: Iterable[str]) -> Text:
    """``did you mean 'x'?`` for the nearest known word, else the list of known words."""
    names = sorted(known)
    begun = [name for name in names if len(word) >= 3 and name.startswith(word)]
    begun.sort(key=len)  # 'volume' is more of 'volumes' than of 'volume_forecast'
    close = begun or difflib.get_close_matches(word, names, n=1, cutoff=0.55)
    if close:
        return Text("did you mean '{name}'?", name=close[0])
    if not names:
        return Text("nothing is known here")
    listed = Text("known here: {names}")
    return listed.format(names=", ".join(names))
