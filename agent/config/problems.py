"""Problems of a configuration, each with file, line and path.

A problem prints as one line, ``file:line: path: sentence``.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path as File

from agent.errors import Trouble
from probes import Text

Path = tuple[str | int, ...]
"""A place in the configuration: keys and list indices from the top."""


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
    line: int
    path: str
    message: str

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}" if self.line else self.file
        return f"{place}: {self.path}: {self.message}" if self.path else f"{place}: {self.message}"


class ConfigError(Trouble):
    """The configuration cannot be used; ``problems`` holds every reason."""

    exit_code = 2

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = tuple(sorted(set(problems), key=lambda p: (p.file, p.line, p.path)))
        super().__init__("\n".join(str(problem) for problem in self.problems))


def dotted(path: Path) -> str:
    """A path as people write it: ``targets[0].probes.blocked_sessions.every``."""
    text = ""
    for part in path:
        if isinstance(part, int):
            text += f"[{part}]"
        else:
            text += f".{part}" if text else part
    return text


def nearest(word: str, known: Iterable[str]) -> str:
    """``meant`` in English, as all problems of a configuration are told."""
    return meant(word, known).en


def meant(word: str, known: Iterable[str]) -> Text:
    """``did you mean 'x'?`` for the nearest known word, else the list of known words."""
    names = sorted(known)
    begun = [name for name in names if len(word) >= 3 and name.startswith(word)]
    begun.sort(key=len)  # 'volume' is more of 'volumes' than of 'volume_forecast'
    close = begun or difflib.get_close_matches(word, names, n=1, cutoff=0.55)
    if close:
        return Text("maksud Anda '{name}'?", "did you mean '{name}'?").format(name=close[0])
    if not names:
        return Text("tidak ada yang dikenal di sini", "nothing is known here")
    listed = Text("yang dikenal di sini: {names}", "known here: {names}")
    return listed.format(names=", ".join(names))


class Problems:
    """Collects problems and warnings, finding the line of each from its path."""

    def __init__(self) -> None:
        self.found: list[Problem] = []
        self.warnings: list[Problem] = []
        self.origins: dict[Path, Origin] = {}
        self.main: File = File("agent.yaml")

    def at(self, path: Path, message: str) -> None:
        """Record an error at ``path``."""
        self.found.append(self._problem(path, message))

    def warn(self, path: Path, message: str) -> None:
        """Record a warning."""
        self.warnings.append(self._problem(path, message))

    def in_file(self, file: File, line: int, message: str, path: Path = ()) -> None:
        """Record a problem of a file that has no merged path."""
        self.found.append(Problem(str(file), line, dotted(path), message))

    def _problem(self, path: Path, message: str) -> Problem:
        written = path
        while written not in self.origins and written:
            written = written[:-1]
        origin = self.origins.get(written) or Origin(str(self.main), 0, ())
        shown = origin.path + path[len(written) :]
        return Problem(origin.file, origin.line, dotted(shown), message)
