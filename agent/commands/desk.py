"""Opens the desk for commands and identifies the person who acts."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

from agent.commands.words import language_of, password
from agent.config import Config, find, load
from agent.errors import LocalizedError, in_language
from agent.open_desk import Opened, open_desk
from incidents.documents.model import NoSuchDocument
from incidents.model import Refused, Signer
from incidents.people.sessions import Sessions
from incidents.records.rows import NoSuchIncident
from incidents.store import StoreUnavailable
from probes import Text

PASSWORD = Text("Password of {username}")
_NOT_ACTIVE = Text(
    "{username} may not sign: the account is not active; 'sigap people list' shows it"
)


@contextmanager
def desk(given: argparse.Namespace, *, reading: bool = False) -> Iterator[tuple[Config, Opened]]:
    """The configuration and the open desk; refusals and an unavailable store are ``UserError``.

    With ``reading`` the right to read the store is enough.
    """
    config = load(find(given.config), logins=False)
    with in_language(language_of(given, config)):
        opened = open_desk(config, reading=reading)
        try:
            yield config, opened
        except Refused as refused:
            raise LocalizedError(refused.reason) from refused
        except (StoreUnavailable, NoSuchIncident, NoSuchDocument) as error:
            raise LocalizedError(error.sentence) from error
        finally:
            opened.store.close()


def now() -> datetime:
    """The present instant."""
    return datetime.now(UTC)


def signer(given: argparse.Namespace, config: Config, opened: Opened) -> Signer:
    """Who acts: proven by the password, with the roles of today."""
    at = now()
    asked = PASSWORD.format(username=given.username)
    secret = password(given.password_file, asked, language_of(given, config))
    Sessions(opened.people.store).check(given.username, secret, "command line", at)
    found = opened.people.signer(given.username, opened.calendar.local(at).date())
    if found is None:
        raise LocalizedError(_NOT_ACTIVE.format(username=given.username))
    return found
