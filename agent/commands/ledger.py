"""Commands ``sigap verify`` and ``sigap export``."""

from __future__ import annotations

import argparse
from pathlib import Path

from agent.commands.desk import desk, now
from agent.commands.words import language_of, language_without_config
from agent.errors import LocalizedError, in_language
from incidents.ledger import export as bundle
from incidents.ledger.verify import Verdict
from incidents.ledger.verify import verify as verify_store
from probes import Text

_LEDGER = Text("the ledger")
_WHOLE = Text("{what} is whole: {events} events, {documents} documents, head {head}")
_NOT_WHOLE = Text("{what} is not whole: {problem}")
_NO_FILE = Text("{file} does not exist; make one with 'sigap export {file}'")
_UNWRITABLE = Text("{file} cannot be written: {error}")
_EXPORTED = Text("{file}: {n} events, head {head}")


def verify(given: argparse.Namespace) -> int:
    """``sigap verify``: the ledger of the configured store, or an exported bundle."""
    if given.file is None:
        with desk(given, reading=True) as (config, opened):
            return _told(verify_store(opened.store), _LEDGER, language_of(given, config))
    language = language_without_config(given)
    with in_language(language):
        return _verify_file(Path(given.file), language)


def _verify_file(path: Path, language: str) -> int:
    if not path.is_file():
        raise LocalizedError(_NO_FILE.format(file=path))
    try:
        return _told(bundle.verify_bundle(path), Text.verbatim(str(path)), language)
    except bundle.NotABundle as error:
        raise LocalizedError(error.sentence) from error


def export(given: argparse.Namespace) -> int:
    """``sigap export``: one file that can be verified without the store."""
    path = Path(given.file)
    with desk(given, reading=True) as (config, opened):
        try:
            head = bundle.export(opened.store, path, now())
        except OSError as error:
            raise LocalizedError(_UNWRITABLE.format(file=path, error=error.strerror)) from None
    said = _EXPORTED.format(file=path, n=head.sequence, head=head.hash)
    print(said.said_in(language_of(given, config)))
    return 0


def _told(verdict: Verdict, what: Text, language: str) -> int:
    if verdict.problem is not None:
        raise LocalizedError(_NOT_WHOLE.format(what=what, problem=verdict.problem))
    said = _WHOLE.format(
        what=what, events=verdict.events, documents=verdict.documents, head=verdict.head.hash
    )
    print(said.said_in(language))
    return 0
