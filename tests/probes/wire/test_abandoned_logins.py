"""A hanging login is not repeated without limit, because each attempt stays in the server."""

from __future__ import annotations

from probes import Failure, FailureKind
from probes.wire.abandoned_logins import FOR_SECONDS, MOST, Abandoned

SILENT = Failure(FailureKind.TIMEOUT, "no answer")
REFUSED = Failure(FailureKind.EXHAUSTED, "too many clients")


def test_after_two_logins_without_an_answer_none_is_tried_for_a_minute() -> None:
    logins = Abandoned()
    for at in range(MOST):
        assert logins.refusal(float(at)) is None
        logins.note(float(at), SILENT)
    assert logins.refusal(MOST) is SILENT
    assert logins.refusal(FOR_SECONDS - 0.1) is SILENT
    assert logins.refusal(FOR_SECONDS) is None, "the first of them is gone by now"


def test_a_login_that_was_answered_leaves_nothing_behind() -> None:
    logins = Abandoned()
    for at in range(10):
        logins.note(float(at), REFUSED)
    assert logins.refusal(10.0) is None
