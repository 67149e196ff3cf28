"""Finds texts of Sigap's own in evidence that are in English only (decision 15).

A cell or a note may be a plain string, because a server's words stay unchanged; no type
distinguishes these from ours. The source is read, never run. Checked is every function that makes
or returns a table of evidence (``Exhibit``) or its ``Words``, and what such a function calls in the
same file for a string or a row. A literal there that ends up in a cell or a note must be a
``Text``; so must a figure with its unit (``probes.words.units``). Not found: a word that a query
itself writes (``select 'slot' as kind``), unless it is a phrase.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

SAME_IN_BOTH = frozenset({"heartbeat", "ok", "port", "tcp", "trx", "unix"})
"""Words that are the same in Indonesian, or that nobody reads."""

_WORD = re.compile(r"(?<![\w%{.])[a-z]{2,}(?![\w(.])")
_UNIT = re.compile(r"^ ?(?:s|min|h|d|B|kB|MB|GB|%)\b|^ ?%")
_COMMAND = re.compile(r"\b(?:SELECT|FROM|WHERE|ROLLBACK|COMMIT|KILL|SHOW)\b")
_NAME = re.compile(r"[a-z_]+(?: [a-z_]+)*")
_PHRASE_OF_A_QUERY = re.compile(r"\b(?:select|then|else)\s+'([a-z]+(?: [a-z]+)+)'", re.IGNORECASE)
_CELLS_OF = frozenset({"append", "cell", "list", "remarks", "sorted", "str", "table", "tuple"})
"""Calls whose arguments become cells or notes."""


def english_only(source: str) -> list[str]:
    """Each such word of a module, with its line."""
    tree = ast.parse(source)
    found = {
        f"line {each.lineno}: {words}"
        for function in _of_evidence(tree)
        for each, words in _literals(function)
        if _is_ours(words)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            found |= {
                f"line {node.lineno}: {words}" for words in _PHRASE_OF_A_QUERY.findall(node.value)
            }
    return sorted(found)


def _is_ours(words: str) -> bool:
    if _COMMAND.search(words):
        return False
    return bool(_UNIT.search(words)) or bool(set(_WORD.findall(words)) - SAME_IN_BOTH)


def _of_evidence(tree: ast.Module) -> Iterator[ast.FunctionDef]:
    """The functions that make tables, and those of this file that they ask for words."""
    functions = {each.name: each for each in ast.walk(tree) if isinstance(each, ast.FunctionDef)}
    to_do = [each for each in functions.values() if _makes_tables(each)]
    seen: set[str] = set()
    while to_do:
        function = to_do.pop()
        if function.name in seen:
            continue
        seen.add(function.name)
        yield function
        to_do += [
            functions[each.id]
            for each in ast.walk(function)
            if isinstance(each, ast.Name)
            and each.id in functions
            and _returns(functions[each.id], "str|Row|object")
        ]


def _makes_tables(function: ast.FunctionDef) -> bool:
    return _returns(function, "Exhibit|Words") or any(
        isinstance(each, ast.Call) and ast.unparse(each.func) == "Exhibit"
        for each in ast.walk(function)
    )


def _returns(function: ast.FunctionDef, kinds: str) -> bool:
    said = ast.unparse(function.returns) if function.returns is not None else ""
    return re.search(rf"\b(?:{kinds})\b", said) is not None


def _literals(node: ast.AST) -> Iterator[tuple[ast.expr, str]]:
    """The strings below ``node`` that may become a cell or a note, as far as the syntax shows."""
    match node:
        case ast.Constant(value=str(words)):
            yield node, words
        case ast.Attribute(attr="en"):
            yield node, f"{ast.unparse(node)} in english"
        case ast.Call():
            for each in _kept(node):
                yield from _literals(each)
        case ast.Tuple(elts=elements) if _are_names(elements):
            return
        case ast.Subscript(value=held):
            yield from _literals(held)
        case ast.Dict(values=values):
            for each in values:
                yield from _literals(each)
        case ast.IfExp(body=body, orelse=other):
            yield from _literals(body)
            yield from _literals(other)
        case ast.If(body=body, orelse=other) | ast.While(body=body, orelse=other):
            for statement in (*body, *other):
                yield from _literals(statement)
        case ast.FunctionDef(body=body):
            for statement in body:
                if not _is_docstring(statement):
                    yield from _literals(statement)
        case ast.Compare():
            return
        case _:
            for child in ast.iter_child_nodes(node):
                yield from _literals(child)


def _is_docstring(statement: ast.stmt) -> bool:
    return isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)


def _kept(call: ast.Call) -> list[ast.expr]:
    """What of a call's parts may become words of a table."""
    name = ast.unparse(call.func).rpartition(".")[2]
    if name == "Exhibit":  # the second is its columns
        return [*call.args[:1], *call.args[2:], *(each.value for each in call.keywords)]
    if name == "exhibit":  # so is the third here
        return call.args[:2]
    if name in _CELLS_OF:
        return [*call.args, *(each.value for each in call.keywords)]
    if name in ("format", "join") and isinstance(call.func, ast.Attribute):
        return [call.func.value, *call.args] if name == "join" else [call.func.value]
    return []


def _are_names(elements: list[ast.expr]) -> bool:
    """Whether a tuple only names columns or keys: a row also holds something else."""
    return len(elements) > 1 and all(
        isinstance(each, ast.Constant)
        and isinstance(each.value, str)
        and _NAME.fullmatch(each.value)
        for each in elements
    )
