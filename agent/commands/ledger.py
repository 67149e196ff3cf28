"""Why: anybody can check that the record is as it was written, also away from the server."""

from __future__ import annotations

import argparse
from pathlib import Path

from agent.commands.desk import desk, now
from agent.trouble import Trouble
from incidents import bundle
from incidents.ledger import Verdict
from incidents.ledger import verify as verify_store


def verify(given: argparse.Namespace) -> int:
    """``sigap verify``: the ledger of the configured store, or an exported bundle."""
    if given.file is None:
        with desk(given, reading=True) as (config, opened):
            return _told(verify_store(opened.store), "the ledger", config.language)
    path = Path(given.file)
    if not path.is_file():
        raise Trouble(f"{path} does not exist; make one with 'sigap export {path}'")
    try:
        return _told(bundle.verify_bundle(path), str(path), "en")
    except bundle.NotABundle as error:
        raise Trouble(str(error)) from error


def export(given: argparse.Namespace) -> int:
    """``sigap export``: one file that verifies by itself."""
    path = Path(given.file)
    with desk(given, reading=True) as (_, opened):
        try:
            head = bundle.export(opened.store, path, now())
        except OSError as error:
            raise Trouble(f"{path} cannot be written: {error.strerror}") from None
    print(f"{path}: {head.sequence} events, head {head.hash}")
    return 0


def _told(verdict: Verdict, what: str, language: str) -> int:
    if verdict.problem is not None:
        raise Trouble(f"{what} is not whole: {verdict.problem.said_in(language)}")
    print(
        f"{what} is whole: {verdict.events} events, {verdict.documents} documents, "
        f"head {verdict.head.hash}"
    )
    return 0
