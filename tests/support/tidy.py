"""House rules checked on the text of files: length, silenced checks, machine-specific words.

Each function takes text and returns one sentence per violation, so that a planted line shows that
it can fail.
"""

from __future__ import annotations

import io
import re
import subprocess
import tokenize
from collections.abc import Iterator
from pathlib import Path

LONGEST_MODULE = 450

_SILENCED = re.compile(
    r"(?:ruff:\s*|flake8:\s*)?noqa\b(?::\s*[A-Z]+[0-9]+(?:[,\s]+[A-Z]+[0-9]+)*)?"
    r"|type:\s*ignore\b(?:\[[^\]]*\])?"
    r"|mypy:\s*[\w-]+|pragma:\s*no\s+\w+|nosec\b",
)
_WHY = re.compile(r"\w+(?:\W+\w+){2,}")  # three words are the least that says why

_ELSEWHERE = re.compile(
    r"""(?<![\w.}*-])/(?:work|farm|root|tmp)/[\w.]      # a path of one machine
    |pypi\.org|pythonhosted\.org|npmjs\.(?:org|com)|yarnpkg\.com
    |deb\.debian\.org|security\.debian\.org|proxy\.golang\.org|crates\.io
    |\bsub-?agents?\b""",
    re.VERBOSE,
)
_SKIPPED_FOLDERS = {".git", ".venv", "__pycache__", "build", "dist"}


def too_long(name: str, text: str) -> Iterator[str]:
    """A module has one reason to exist; past 450 lines it has two."""
    lines = text.count("\n") + (not text.endswith("\n"))
    if lines > LONGEST_MODULE:
        yield f"{name} has {lines} lines; {LONGEST_MODULE} are the most: split it by reason"


def unexplained(name: str, source: str) -> Iterator[str]:
    """Silenced checks without a reason of three words in their comment or in the line above."""
    comments: dict[int, str] = {}
    alone: set[int] = set()
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.COMMENT:
            comments[token.start[0]] = token.string
            if token.line.strip() == token.string:
                alone.add(token.start[0])
    for line, comment in comments.items():
        if not _SILENCED.search(comment):
            continue
        above = comments[line - 1] if line - 1 in alone else ""
        said = (_SILENCED.sub("", each) for each in (comment, above))
        if not any(_WHY.search(each) for each in said):
            yield f"{name}:{line} silences a check without saying why: {comment}"


def elsewhere(name: str, text: str) -> Iterator[str]:
    """Paths that exist on one machine only, hosts of package registries, words about the making."""
    for number, line in enumerate(text.splitlines(), start=1):
        for found in _ELSEWHERE.finditer(line):
            yield f"{name}:{number} holds {found.group()!r}, which means nothing on another machine"


def files(root: Path) -> list[Path]:
    """What the project keeps: git's list with what is new and not ignored, or else the folder."""
    listed = subprocess.run(
        ["git", "-C", str(root), "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        capture_output=True,
        check=False,
    )
    if listed.returncode == 0:
        paths = [root / name for name in listed.stdout.decode().split("\0") if name]
    else:
        paths = [
            path
            for path in root.rglob("*")
            if not _SKIPPED_FOLDERS.intersection(path.relative_to(root).parts)
        ]
    return sorted(path for path in set(paths) if path.is_file() and not path.is_symlink())


def text_of(path: Path) -> str | None:
    """The text of a file, or None where it is none: a font, a picture, a compiled catalogue."""
    content = path.read_bytes()
    if b"\0" in content:
        return None
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError:
        return None
