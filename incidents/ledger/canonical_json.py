"""JSON with exactly one written form per value, so that it can be hashed.

Keys sorted, no spaces, UTF-8. Values that JSON libraries write differently, or that a store cannot
keep, are refused: infinities and NaN, integers beyond 2^53, lone surrogates, NUL.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from typing import Any

MOST_EXACT = 2**53
"""Beyond this, JSON libraries do not agree on an integer."""


class NotCanonical(ValueError):
    """A value without a single written form; the message names its place."""


def canonical(value: Any) -> bytes:
    """The one written form of ``value``; raises ``NotCanonical``."""
    _check(value, "")
    return json.dumps(
        value, ensure_ascii=False, allow_nan=False, sort_keys=True, separators=(",", ":")
    ).encode()


def digest(body: bytes) -> str:
    """SHA-256 in hexadecimal."""
    return hashlib.sha256(body).hexdigest()


def content(value: Any) -> tuple[str, str]:
    """The canonical JSON of what a data file says, and its digest. Keys that hold nothing are as
    good as absent."""
    body = canonical(_without_nothing(value))
    return body.decode(), digest(body)


def _without_nothing(value: Any) -> Any:
    match value:
        case Mapping():
            return {
                key: _without_nothing(inner) for key, inner in value.items() if inner is not None
            }
        case list() | tuple():
            return [_without_nothing(inner) for inner in value]
        case _:
            return value


def mended(value: Any) -> Any:
    """``value`` with everything that ``canonical`` refuses replaced, for text from machines.

    A server may answer with anything; its finding must still reach the record.
    """
    match value:
        case str():
            whole = value.encode("utf-8", "replace").decode()
            return whole.replace("\0", "�")
        case bool() | None:
            return value
        case float():
            return value if math.isfinite(value) else str(value)
        case int():
            return value if abs(value) <= MOST_EXACT else str(value)
        case Mapping():
            return {str(mended(str(key))): mended(inner) for key, inner in value.items()}
        case list() | tuple():
            return [mended(inner) for inner in value]
        case _:
            return mended(str(value))


def _check(value: Any, where: str) -> None:
    match value:
        case str():
            _check_words(value, where)
        case bool() | None:
            pass
        case float() if not math.isfinite(value):
            raise NotCanonical(f"{where or 'value'}: {value} is not a finite number")
        case int() if abs(value) > MOST_EXACT:
            raise NotCanonical(f"{where or 'value'}: {value} is beyond 2^53")
        case float() | int():
            pass
        case Mapping():
            for key, inner in value.items():
                if not isinstance(key, str):
                    raise NotCanonical(f"{where or 'value'}: the key {key!r} is not a string")
                _check_words(key, where)
                _check(inner, f"{where}.{key}" if where else key)
        case list() | tuple():
            for index, inner in enumerate(value):
                _check(inner, f"{where}[{index}]")
        case _:
            raise NotCanonical(f"{where or 'value'}: {type(value).__name__} has no JSON form")


def _check_words(words: str, where: str) -> None:
    if "\0" in words:
        raise NotCanonical(f"{where or 'value'}: contains NUL")
    try:
        words.encode()
    except UnicodeEncodeError as error:
        raise NotCanonical(f"{where or 'value'}: contains a lone surrogate") from error
