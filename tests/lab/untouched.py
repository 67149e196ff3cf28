"""Probes without a fault in the lab, each with the reason, or where else it is tested."""

from __future__ import annotations

from collections.abc import Mapping

_LEARNED = (
    "learned over many readings or declared; tests/probes/fleet/test_membership.py takes them away"
)
_MACHINE = "would hurt the machine the tests run on; tests/probes/host judges its facts"
_HELD = "one is really held open in tests/probes/host/test_deleted_files.py"

EVERYWHERE: Mapping[str, str] = {
    "clock": _MACHINE,
    "load": "five minutes' mean of all the machine does: it rises and falls for minutes, and by "
    "anybody's work; tests/probes/host judges its facts",
    "memory": "all the machine's, of which others take and give back meanwhile; tests/probes/host",
    "oom_kills": _MACHINE,
    "volume_forecast": "rests on days of the host's clock; tests/probes/host/test_forecast.py",
    "expected_channels": _LEARNED,
    "expected_volumes": _LEARNED,
    "expected_place": _LEARNED,
}

UNTOUCHED: Mapping[str, Mapping[str, str]] = {
    "postgresql": {
        **EVERYWHERE,
        "deleted_files": _HELD,
        "expected_members": "PostgreSQL knows no clusters that list their members",
    },
    "mysql": {
        **EVERYWHERE,
        "expected_slots": "MySQL and MariaDB have no slots",
        "cluster_roles": "no role is learned of both in the lab; "
        "tests/probes/fleet/test_cluster_roles.py",
        "redo_log": "flushed whenever the server is idle for a second: what a reading meets is "
        "chance; tests/probes/mysql/test_capacity_live.py",
        "replicas": "only names, and has no threshold: expected_standbys misses one of them",
    },
    "pgbouncer": {
        **EVERYWHERE,
        "deleted_files": _HELD,
        "traffic": "measures for graphs, and has no threshold",
        **dict.fromkeys(
            (
                "backup_age",
                "cluster_roles",
                "expected_members",
                "expected_slots",
                "expected_standbys",
                "reach",
                "volumes",
            ),
            "not of the pooler's own: a fault of PostgreSQL in the lab is about it",
        ),
    },
}
"""Which probes no scenario is about, and why not, or where else they meet a real server."""
