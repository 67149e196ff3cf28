"""How long a session has waited, from rows; the queue itself is tested in test_blocked_sessions."""

from __future__ import annotations

import json
from typing import Any

from probes.model import Memory
from probes.postgresql.locks.lock_queue import waiting_since


def test_before_14_a_wait_counts_from_when_it_was_first_seen_and_not_from_its_statement() -> None:
    def waiter(now: float, query_start: str = "07:00:00") -> dict[int, dict[str, Any]]:
        return {7: {"blockers": [5], "query_start": query_start, "now": now}}

    notes = Memory()
    assert waiting_since(waiter(1000.0), notes) == {7: 1000.0}
    notes = Memory(json.loads(json.dumps(notes.kept)))  # as after a restart of the agent
    assert waiting_since(waiter(1015.0), notes) == {7: 1000.0}
    assert waiting_since(waiter(1030.0, "07:00:25"), notes) == {7: 1030.0}
    assert waiting_since({}, notes) == {}
    assert notes.kept == {}
