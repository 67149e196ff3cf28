"""Turns every failure into one clear sentence: a page for people, a small body for programs.

No traceback leaves the process; an unexpected error is logged with one and answered with 500.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, RedirectResponse
from starlette.exceptions import HTTPException

from incidents.documents.model import NoSuchDocument
from incidents.model import Refused
from incidents.records.rows import NoSuchIncident
from incidents.store import StoreUnavailable
from incidents.web.access.auth import LANGUAGE_COOKIE, Visitor, site_of, visitor_of
from incidents.web.access.problem import RequestError, SignInFirst
from incidents.web.access.security import BODY_LIMIT_BYTES
from incidents.web.languages import DEFAULT, known
from incidents.web.rendering import Site
from probes import Text

log = logging.getLogger(__name__)

HEADINGS = {
    400: Text("The request cannot be read"),
    401: Text("Sign in first"),
    403: Text("Not allowed"),
    404: Text("Page not found"),
    405: Text("That cannot be done here"),
    409: Text("Things have moved on"),
    413: Text("Too large"),
    422: Text("The form is not right yet"),
    429: Text("Too often"),
    503: Text("The store does not answer"),
}
TROUBLE = Text("Something went wrong")
SENTENCES = {
    400: Text("The request could not be read; check its form and send it again."),
    404: Text("Nothing is at this address; check the number or start from the inbox."),
    405: Text("This address does not take that kind of request."),
    413: Text(
        "The request is larger than {body_limit_bytes} KiB; send less.",
        body_limit_bytes=BODY_LIMIT_BYTES // 1024,
    ),
}
UNEXPECTED = Text(
    "Sigap itself failed; the details are in its log. Try again; if it fails again, call the "
    "network and server administrator."
)
SIGN_IN = Text("Sign in first: use a page session or HTTP Basic with your account.")
WRONG_FIELDS = Text("The request is invalid; correct {names}.")
NO_OBJECT = Text("Send one JSON object, with Content-Type: application/json.")
FIELD_WORDS = {
    "missing": Text("This is required"),
    "extra_forbidden": Text("This key is not known here"),
    "literal_error": Text("It must be {expected}"),
    "string_too_short": Text("This is required"),
    "string_too_long": Text("This takes at most {most} characters"),
}
"""Texts for the kinds of pydantic errors that callers meet; others keep pydantic's English text."""
NOT_JSON = Text("The body is not valid JSON; check its brackets and quotes.")


def install(app: FastAPI) -> None:
    """Register every handler on the application."""
    app.add_exception_handler(RequestError, _answer)
    app.add_exception_handler(SignInFirst, _answer)
    app.add_exception_handler(Refused, _answer)
    app.add_exception_handler(NoSuchIncident, _answer)
    app.add_exception_handler(NoSuchDocument, _answer)
    app.add_exception_handler(StoreUnavailable, _answer)
    app.add_exception_handler(RequestValidationError, _answer)
    app.add_exception_handler(HTTPException, _answer)
    app.add_exception_handler(Exception, _answer)


def _answer(request: Request, error: Exception) -> Response:
    api = request.url.path.startswith("/api/")
    if isinstance(error, SignInFirst) and not api:
        wanted = request.url.path if request.method == "GET" else "/"
        return RedirectResponse(f"/signin?next={wanted}", status_code=303)
    problem = _problem(error)
    if problem.status >= 500 and not isinstance(error, StoreUnavailable):
        log.error("request %s %s failed", request.method, request.url.path, exc_info=error)
    return body(problem) if api else _page(request, problem)


def _problem(error: Exception) -> RequestError:
    match error:
        case RequestError():
            return error
        case SignInFirst():
            return RequestError(401, "sign_in", SIGN_IN)
        case Refused():
            return RequestError(403, "refused", error.reason)
        case NoSuchIncident():
            return RequestError(404, "no_such_incident", error.sentence)
        case NoSuchDocument():
            return RequestError(404, "no_such_document", error.sentence)
        case StoreUnavailable():
            return RequestError(503, "store_unavailable", error.sentence)
        case RequestValidationError():
            return _validation(error)
        case HTTPException():
            return RequestError(
                error.status_code,
                f"http_{error.status_code}",
                SENTENCES.get(error.status_code, TROUBLE),
            )
        case _:
            return RequestError(500, "unexpected", UNEXPECTED)


def _validation(error: RequestValidationError) -> RequestError:
    if any(each["type"] == "json_invalid" for each in error.errors()):
        return RequestError(400, "not_json", NOT_JSON)
    fields: dict[str, Text] = {}
    for each in error.errors():
        where = [str(part) for part in each["loc"] if part not in ("body", "query", "path")]
        if not where:
            return RequestError(422, "form", NO_OBJECT)
        fields[".".join(where)] = _field_words(each["type"], each["msg"], each.get("ctx", {}))
    return RequestError(422, "form", WRONG_FIELDS.format(names=", ".join(fields)), fields)


def _field_words(kind: str, message: str, context: Mapping[str, object]) -> Text:
    known_words = FIELD_WORDS.get(kind)
    if known_words is None:
        return Text.verbatim(message)
    first, several, last = str(context.get("expected", "")).rpartition(" or ")
    either = Text("{first} or {second}", first=first, second=last) if several else last
    return known_words.format(expected=either, most=context.get("max_length", ""))


def body(problem: RequestError) -> JSONResponse:
    """The body programs get."""
    headers = {"www-authenticate": 'Basic realm="Sigap"'} if problem.status == 401 else None
    return JSONResponse(
        {
            "error": {
                "code": problem.code,
                "message": problem.reason.en,
                "message_id": problem.reason.id,
                "fields": {
                    name: {"message": text.en, "message_id": text.id}
                    for name, text in problem.fields.items()
                },
            }
        },
        status_code=problem.status,
        headers=headers,
    )


def _page(request: Request, problem: RequestError) -> Response:
    site: Site = site_of(request)
    if problem.status == 503:  # asking the store who this is would wait for it once more
        visitor = Visitor(site.clock(), known(request.cookies.get(LANGUAGE_COOKIE)))
    else:
        try:
            visitor = visitor_of(request)
        except StoreUnavailable:  # the page must not fail by what it reports
            visitor = Visitor(site.clock(), DEFAULT)
    heading = HEADINGS.get(problem.status, TROUBLE).said_in(visitor.language)
    return site.render(
        request,
        visitor,
        "error.html",
        status=problem.status,
        heading=heading,
        sentence=problem.reason.said_in(visitor.language),
        detail="",
        back="",
        back_label="",
    )
