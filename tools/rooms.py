"""Prints the import graph per package: modules, imports, cycles, and violations of the house rules.

    python -m tools.rooms [FOLDER]

A room is a package of `agent`, `files`, `probes` or `incidents`; its boxes are the modules and
folders in it, `__init__` excluded. An arrow is an import from one box into another of the same
room, counted once however many files have it, including imports inside functions. The tree is read,
never imported.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.support import house

ROOT = Path(__file__).resolve().parents[1]

MOST_BOXES = 14
MOST_LINES_OF_A_CLASS = 250
MOST_LINES_OF_A_FUNCTION = 60


@dataclass(frozen=True, slots=True)
class Room:
    """One folder: its boxes, the imports between them, and all cycles."""

    name: str
    boxes: tuple[str, ...]
    arrows: frozenset[tuple[str, str]]
    cycles: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Definition:
    """A class or a function, and how long it is."""

    name: str
    where: str
    lines: int


def rooms(tree: house.Tree) -> list[Room]:
    """Every room of the tree, by name."""
    edges = tree.edges()
    found = []
    for name in sorted(tree.packages):
        boxes = {_box(module, name) for module in tree.modules if module.startswith(f"{name}.")}
        arrows = {
            (_box(source, name), _box(target, name))
            for source, targets in edges.items()
            if source.startswith(f"{name}.")
            for target in targets
            if target.startswith(f"{name}.")
        }
        between = frozenset((source, target) for source, target in arrows if source != target)
        found.append(Room(name, tuple(sorted(boxes)), between, tuple(_cycles(boxes, between))))
    return [room for room in found if room.boxes]


def _box(module: str, room: str) -> str:
    return module.removeprefix(f"{room}.").partition(".")[0]


def _cycles(boxes: Iterable[str], arrows: Iterable[tuple[str, str]]) -> Iterator[str]:
    edges: dict[str, set[str]] = {box: set() for box in boxes}
    for source, target in arrows:
        edges[source].add(target)
    seen: set[frozenset[str]] = set()
    for box in sorted(edges):
        for way in house.ways(box, edges):
            if box in edges[way[-1]] and frozenset(way) not in seen:
                seen.add(frozenset(way))
                yield " -> ".join((*way, box))
                break


def crowded(found: Iterable[Room]) -> list[str]:
    """Rooms with more than `MOST_BOXES` boxes."""
    return [
        f"{room.name}: {len(room.boxes)} boxes" for room in found if len(room.boxes) > MOST_BOXES
    ]


def circular(found: Iterable[Room]) -> list[str]:
    """Cycles between the boxes of a room, each written out."""
    return [f"{room.name}: {way}" for room in found for way in room.cycles]


def upward(tree: house.Tree) -> list[str]:
    """Imports from a room into one above it."""
    return [
        *house.wrong_rooms(tree),
        *house.more_than_words(tree),
        *house.wrong_inside_probes(tree),
        *house.wrong_inside_incidents(tree),
    ]


def definitions(root: Path, kind: type[ast.AST] | tuple[type[ast.AST], ...]) -> list[Definition]:
    """Every class or function of the rooms, wherever it is nested."""
    found = []
    for top in house.ROOMS:
        for path in sorted((root / top).rglob("*.py")):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, kind) and isinstance(node, ast.ClassDef | _FUNCTION):
                    where = f"{path.relative_to(root)}:{node.lineno}"
                    lines = (node.end_lineno or node.lineno) - node.lineno + 1
                    found.append(Definition(node.name, where, lines))
    return found


_FUNCTION = ast.FunctionDef | ast.AsyncFunctionDef


def long_classes(root: Path) -> list[str]:
    """Classes of more than `MOST_LINES_OF_A_CLASS` lines."""
    return _longer(definitions(root, ast.ClassDef), MOST_LINES_OF_A_CLASS)


def long_functions(root: Path) -> list[str]:
    """Functions of more than `MOST_LINES_OF_A_FUNCTION` lines."""
    functions = definitions(root, (ast.FunctionDef, ast.AsyncFunctionDef))
    return _longer(functions, MOST_LINES_OF_A_FUNCTION)


def _longer(found: Iterable[Definition], most: int) -> list[str]:
    return [f"{each.where} {each.name}: {each.lines} lines" for each in found if each.lines > most]


def defined_twice(root: Path) -> Mapping[str, list[str]]:
    """Class names with more than one definition, those that begin with an underscore left out."""
    places: dict[str, list[str]] = {}
    for each in definitions(root, ast.ClassDef):
        if not each.name.startswith("_"):
            places.setdefault(each.name, []).append(each.where)
    return {name: where for name, where in sorted(places.items()) if len(where) > 1}


def report(root: Path) -> Iterator[str]:
    """The picture as lines of text."""
    tree = house.read(root)
    found = rooms(tree)
    width = max(len(room.name) for room in found)
    yield f"{'room':{width}}  boxes  arrows  cycles"
    for room in found:
        numbers = f"{len(room.boxes):5}  {len(room.arrows):6}  {len(room.cycles):6}"
        yield f"{room.name:{width}}  {numbers}"
    lists = {
        "cycles between boxes": circular(found),
        "cycles between modules": house.cycles(tree),
        "arrows upward": upward(tree),
        f"rooms over {MOST_BOXES} boxes": crowded(found),
        f"classes over {MOST_LINES_OF_A_CLASS} lines": long_classes(root),
        f"functions over {MOST_LINES_OF_A_FUNCTION} lines": long_functions(root),
        "class names defined more than once": [
            f"{name}: {', '.join(where)}" for name, where in defined_twice(root).items()
        ],
    }
    for title, lines in lists.items():
        yield f"{title}: {len(lines)}"
        yield from (f"  {line}" for line in lines)


def main() -> None:
    root = Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT
    if not (root / "probes").is_dir():
        sys.exit(f"{root} is no checkout of Sigap: it has no folder probes/; name one that has")
    print("\n".join(report(root)))


if __name__ == "__main__":
    main()
