"""Logs in with the new password after a rotation, without a reload of the configuration."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Concatenate, ParamSpec, TypeVar

from probes.model import FailureKind, ProbeError, Secret, Target

P = ParamSpec("P")
S = TypeVar("S")


class RenewableSecret(Secret):
    """A secret that can be read again from where it is kept."""

    __slots__ = ()

    def renewed(self) -> bool:
        """Whether it was read again just now and is another one."""
        raise NotImplementedError


def with_renewed_password(
    open_session: Callable[Concatenate[Target, P], S],
) -> Callable[Concatenate[Target, P], S]:
    """``open_session``, tried once more if the login was denied and the target's password file has
    a new password since it was last read.
    """

    @wraps(open_session)
    def opened(target: Target, /, *args: P.args, **kwargs: P.kwargs) -> S:
        try:
            return open_session(target, *args, **kwargs)
        except ProbeError as error:
            password = target.address.password
            if error.failure.kind is not FailureKind.DENIED:
                raise
            if not isinstance(password, RenewableSecret) or not password.renewed():
                raise
        return open_session(target, *args, **kwargs)

    return opened
