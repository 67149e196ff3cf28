"""State files written before the notes had types are still read."""

from __future__ import annotations

from typing import Any

import pytest

from probes.host import volume_forecast
from probes.model import KeptKey, Memory
from probes.mysql.replication import errant_transactions, replicas
from probes.mysql.storage import write_canary
from probes.postgresql.locks import lock_queue
from probes.postgresql.replication import replication_lag
from probes.templates import restart


@pytest.mark.parametrize(
    ("note", "written", "read"),
    [
        (errant_transactions._OWN, {"own": {"0-1": [[1, 5]]}}, {"0-1": ((1, 5),)}),
        (replicas._NAMES, {"names": {"u1": "10.1.2.3"}}, {"u1": "10.1.2.3"}),
        (write_canary._CHOSEN, {"chosen": True}, True),
        (restart._STARTED, {"started": 1.5, "restarted": True}, 1.5),
        (restart._RESTARTED, {"started": 1.5, "restarted": True}, True),
        (replication_lag._SHARED_NAMES, {"shared_names": ["a"]}, ["a"]),
        (lock_queue.WAITING_SINCE, {"7 07:00:00": 1000.0}, {"7 07:00:00": 1000.0}),
        (volume_forecast._HISTORY, {"used": {"/srv": [[0.0, 1.0]]}}, {"/srv": [[0.0, 1.0]]}),
    ],
)
def test_what_an_earlier_release_kept_is_read(
    note: KeptKey[Any], written: dict[str, Any], read: object
) -> None:
    memory = Memory(written)
    assert memory.get(note) == read
    again = Memory(memory.kept)
    assert again.get(note) == read
