"""Identifies the caller, the language, and whether a form came from our own page.

A session is an HttpOnly cookie. A change must come from this site (``Sec-Fetch-Site``, else
``Origin``) and, with a session, carry the session's token.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Annotated
from urllib.parse import urlsplit

from fastapi import Depends, Request, Response
from starlette.datastructures import FormData

from incidents.model import Signer
from incidents.people.sessions import SignedIn, StoredSession
from incidents.queries import Snapshot
from incidents.web.access.problem import RequestError, SignInFirst
from incidents.web.languages import known
from incidents.web.rendering import Site
from probes import Text
from probes.i18n import languages

SESSION_COOKIE = "sigap_session"
LANGUAGE_COOKIE = "sigap_language"
YEAR_SECONDS = 365 * 24 * 3600

FOREIGN = Text("This request did not come from a Sigap page; open the page and send it from there.")
WORN_OUT = Text(
    "This form was opened before you signed in again; reload the page and send it once more."
)


@dataclass(frozen=True, slots=True)
class Visitor:
    """A person who views a page, signed in or not."""

    now: datetime
    language: str
    session: SignedIn | None = None
    signer: Signer | None = None

    @property
    def csrf(self) -> str:
        return self.session.csrf if self.session else ""


@dataclass(frozen=True, slots=True)
class Member:
    """A known person: by a session, or by name and password with this request."""

    now: datetime
    language: str
    signer: Signer
    session: SignedIn | None = None

    @property
    def csrf(self) -> str:
        return self.session.csrf if self.session else ""


def site_of(request: Request) -> Site:
    """The site this application serves."""
    site = request.app.state.site
    assert isinstance(site, Site)  # noqa: S101 - create_app put it there; this is for the types
    return site


@contextmanager
def look(request: Request) -> Iterator[tuple[Snapshot, Visitor]]:
    """One snapshot of the store with whoever asks, for everything the answer shows.

    The language is the one chosen in this browser, else the person's own. That the session is used
    is written after the snapshot has ended.
    """
    site = site_of(request)
    found = None
    with site.desk.queries.snapshot() as seen:
        visitor = getattr(request.state, "visitor", None)
        if not isinstance(visitor, Visitor):
            now = site.clock()
            token = request.cookies.get(SESSION_COOKIE, "")
            found = seen.signed_in(token, now) if token else None
            visitor = _visitor(request, site, found, now)
            request.state.visitor = visitor
        yield seen, visitor
    if found is not None:
        site.sessions.seen(found, visitor.now)


def _visitor(request: Request, site: Site, found: StoredSession | None, now: datetime) -> Visitor:
    chosen = request.cookies.get(LANGUAGE_COOKIE)
    if found is None:
        return Visitor(now, known(chosen))
    language = chosen if chosen in languages() else found.session.person.language
    return Visitor(now, known(language), found.session, found.signer(site.today(now)))


@contextmanager
def signed_look(request: Request) -> Iterator[tuple[Snapshot, Member]]:
    """``look`` for the person signed in; raises ``SignInFirst``."""
    if not request.cookies.get(SESSION_COOKIE):
        raise SignInFirst
    with look(request) as (seen, visitor):
        yield seen, _member(visitor)


def visitor_of(request: Request) -> Visitor:
    """Who asks."""
    known_already = getattr(request.state, "visitor", None)
    if isinstance(known_already, Visitor):
        return known_already
    if not request.cookies.get(SESSION_COOKIE):
        site = site_of(request)
        request.state.visitor = _visitor(request, site, None, site.clock())
        return visitor_of(request)
    with look(request) as (_, visitor):
        return visitor


def member_of(request: Request) -> Member:
    """The person signed in; raises ``SignInFirst``."""
    return _member(visitor_of(request))


def _member(visitor: Visitor) -> Member:
    if visitor.session is None or visitor.signer is None:
        raise SignInFirst
    return Member(visitor.now, visitor.language, visitor.signer, visitor.session)


def refuse_foreign(request: Request) -> None:
    """Raise unless the browser's headers show that one of our own pages sent this.

    Clients that are not browsers send neither header; the token stops them instead.
    """
    fetch_site = request.headers.get("sec-fetch-site")
    origin = request.headers.get("origin")
    if fetch_site is not None:
        fine = fetch_site in ("same-origin", "none")
    elif origin is not None:
        fine = urlsplit(origin).netloc == request.headers.get("host", "")
    else:
        fine = True
    if not fine:
        raise RequestError(403, "foreign_request", FOREIGN)


def refuse_without_token(session: SignedIn | None, given: str) -> None:
    """Raise unless the form carries the token of its session."""
    if session is not None and not hmac.compare_digest(session.csrf.encode(), given.encode()):
        raise RequestError(403, "csrf", WORN_OUT)


async def form_of(request: Request) -> FormData:
    """A form posted by one of our own pages; raises ``RequestError`` for any other."""
    refuse_foreign(request)
    return await request.form()


Posted = Annotated[FormData, Depends(form_of)]


def member_posting(request: Request, form: Posted) -> Member:
    """The person signed in who posted this form from our own page."""
    member = member_of(request)
    refuse_without_token(member.session, text_of(form, "csrf"))
    return member


Look = Callable[[], AbstractContextManager[tuple[Snapshot, Member]]]
"""Opens the one snapshot that a page reads from."""


def looking(request: Request) -> Look:
    """For a page of the person signed in."""
    return partial(signed_look, request)


Here = Annotated[Site, Depends(site_of)]
Looking = Annotated[Look, Depends(looking)]
Anyone = Annotated[Visitor, Depends(visitor_of)]
Signed = Annotated[Member, Depends(member_of)]
Posting = Annotated[Member, Depends(member_posting)]


def text_of(form: FormData, name: str) -> str:
    """One posted value as text; "" when absent or a file.

    Browsers send a line's end as two characters and count it as one.
    """
    value = form.get(name)
    return value.replace("\r\n", "\n") if isinstance(value, str) else ""


def inside(path: str) -> str:
    """A path of this site to continue to; anything that could lead elsewhere becomes "/"."""
    if path.startswith("/") and not path.startswith("//") and not set(path) & set("\\\r\n\t"):
        return path
    return "/"


def keep_session(response: Response, request: Request, session: SignedIn) -> None:
    """Set the session cookie; Secure if the page came over https."""
    response.set_cookie(
        SESSION_COOKIE,
        session.token,
        httponly=True,
        samesite="lax",
        secure=request.url.scheme == "https",
        path="/",
    )


def keep_language(response: Response, request: Request, language: str) -> None:
    """Remember the language in this browser for a year."""
    response.set_cookie(
        LANGUAGE_COOKIE,
        known(language),
        max_age=YEAR_SECONDS,
        httponly=True,
        samesite="lax",
        secure=request.url.scheme == "https",
        path="/",
    )
