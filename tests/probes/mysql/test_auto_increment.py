"""AUTO_INCREMENT while a metadata lock blocks InnoDB's dictionary."""

from __future__ import annotations

from typing import Any

import pytest

from probes import FailureKind, ProbeError
from probes.model import Memory
from probes.mysql.capacity import auto_increment

COUNTERS = [{"id": 1, "name": "app/surat", "next": 120}]
COLUMNS = [{"id": 1, "name": "id", "bytes": 1, "is_unsigned": 0}]
FIRSTS = [{"id": 1, "name": "id", "is_primary": 1, "pos": 0}]


class Dictionary:
    """A session that answers from InnoDB's dictionary until a lock blocks it."""

    flavour, version = "mysql", 90704

    def __init__(self) -> None:
        self.memory = Memory()
        self.locked = False

    def rows(self, sql: str, parameters: tuple[object, ...] = ()) -> list[dict[str, Any]]:
        if self.locked:
            error = ProbeError(FailureKind.BLIND, "(1205) Lock wait timeout exceeded")
            error.waited_for_lock = True
            raise error
        for table, answer in (("TABLESTATS", COUNTERS), ("COLUMNS", COLUMNS)):
            if table in sql:
                return answer
        return FIRSTS


def _read(session: Any) -> list[Any]:
    return list(auto_increment.read(session))


def test_while_a_ddl_is_in_the_way_the_last_answer_stands() -> None:
    session = Dictionary()
    before = _read(session)
    session.locked = True
    assert _read(session) == before
    assert before[0].value == 120 / 127


def test_a_ddl_in_the_way_at_the_first_reading_is_blind_and_no_hung_server() -> None:
    session = Dictionary()
    session.locked = True
    with pytest.raises(ProbeError) as raised:
        _read(session)
    assert raised.value.failure.kind is FailureKind.BLIND
