"""The probes no fault of the lab is about, each with its reason, or where else it is broken."""

from __future__ import annotations

from collections.abc import Mapping

_LEARNED = "learned over many readings or declared; tests/agent/test_membership.py takes them away"
_MACHINE = "would hurt the machine the tests run on; tests/probes/host judges its facts"

EVERYWHERE: Mapping[str, str] = {
    "clock": _MACHINE,
    "load": _MACHINE,
    "memory": _MACHINE,
    "oom_kills": _MACHINE,
    "deleted_files": "one is really held open in tests/probes/host/test_deleted_files.py",
    "volume_forecast": "rests on days of the host's clock; tests/probes/host/test_forecast.py",
    "expected_standbys": _LEARNED,
    "expected_slots": _LEARNED,
    "expected_channels": _LEARNED,
    "expected_volumes": _LEARNED,
    "expected_place": _LEARNED,
}

UNTOUCHED: Mapping[str, Mapping[str, str]] = {
    "postgresql": {
        **EVERYWHERE,
        "expected_members": "PostgreSQL knows no clusters that list their members",
    },
    "mysql": {
        **EVERYWHERE,
        "buffer_pool": "warns only, by a rate; tests/probes/mysql/test_capacity_live.py",
        "cluster_roles": "no role is learned of both in the lab; tests/agent/test_clusters.py",
        "disk_growth": "each consumer is really filled in tests/probes/mysql/test_disk_growth.py",
        "redo_log": "warns only, by a rate; tests/probes/mysql/test_capacity_live.py",
        "replicas": "only names; one is missed in tests/probes/mysql/test_replicas_live.py",
        "temp_tables": "warns only, by a rate; tests/probes/mysql/test_capacity_live.py",
    },
    "pgbouncer": {
        **EVERYWHERE,
        "traffic": "measures for graphs, and has no threshold",
        **dict.fromkeys(
            ("backup_age", "cluster_roles", "expected_members", "reach", "volumes"),
            "not of the pooler's own: a fault of PostgreSQL in the lab is about it",
        ),
    },
}
"""Which probes no scenario is about, and why not, or where else they meet a real server."""
