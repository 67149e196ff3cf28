"""Failures of a request, as one sentence and an HTTP status.

The same ``RequestError`` becomes a page for people and a body for programs, with the same sentence.
"""

from __future__ import annotations

from collections.abc import Mapping

from incidents.workflow.actions import Refusal, RefusalKind
from probes import Text

STATUS = {
    RefusalKind.CLOSED: 409,
    RefusalKind.STALE: 409,
    RefusalKind.ROLE: 403,
    RefusalKind.SEPARATION: 403,
    RefusalKind.FORM: 422,
    RefusalKind.DECISION: 422,
    RefusalKind.RED: 422,
}
"""The HTTP status of a refused action, by its kind."""


class RequestError(Exception):
    """A refused request; ``code`` is a word for programs, ``reason`` the sentence."""

    def __init__(
        self, status: int, code: str, reason: Text, fields: Mapping[str, Text] | None = None
    ) -> None:
        super().__init__(reason.en)
        self.status = status
        self.code = code
        self.reason = reason
        self.fields = dict(fields or {})


class SignInFirst(Exception):
    """The page is for people who are signed in."""


def problem_of(refusal: Refusal) -> RequestError:
    """The answer to a refused action."""
    return RequestError(STATUS[refusal.kind], refusal.kind.value, refusal.reason, refusal.fields)
