"""Directories of a server's files, from its variables. No I/O.

Binary logs, relay logs and temporary files may each be on another volume than the data.
"""

from __future__ import annotations

import posixpath
from collections.abc import Mapping

from probes.local.server_log import LOG_FILE

VARIABLES = (
    "datadir",
    "log_bin",
    "log_bin_basename",
    "relay_log",
    "relay_log_basename",
    "innodb_log_group_home_dir",
    "innodb_undo_directory",
    "innodb_temp_tablespaces_dir",
    "tmpdir",
    "innodb_data_home_dir",
    "log_error",
    "slow_query_log",
    "slow_query_log_file",
    "general_log",
    "general_log_file",
)


def directories(variables: Mapping[str, str]) -> dict[str, str]:
    """Purpose to absolute directory: data, binlog, relay, redo, undo, tmp, temp, shared
    (ibdata) and, where the server writes them to files, log, slow_log, general_log. Beside them
    ``LOG_FILE``, the error log itself: servers may share the directory.

    A relative path counts from ``datadir``; ``tmpdir`` may hold several (tmp, tmp2, ...). What
    the server does not have (no binary log, no such variable in this version) is left out.
    """
    data = posixpath.normpath(variables["datadir"]) if variables.get("datadir") else ""
    if not data:
        return {}

    def whole(path: str) -> str:
        return posixpath.normpath(posixpath.join(data, path))

    found = {"data": data}
    if variables.get("log_bin", "OFF") not in {"OFF", "0"} and variables.get("log_bin_basename"):
        found["binlog"] = posixpath.dirname(whole(variables["log_bin_basename"]))
    relay = variables.get("relay_log_basename") or variables.get("relay_log")
    if relay:
        found["relay"] = posixpath.dirname(whole(relay))
    for purpose, variable in (
        ("redo", "innodb_log_group_home_dir"),
        ("undo", "innodb_undo_directory"),
        ("temp", "innodb_temp_tablespaces_dir"),
        ("shared", "innodb_data_home_dir"),
    ):
        if variables.get(variable):
            found[purpose] = whole(variables[variable])
    for purpose, variable, switch in (
        ("log", "log_error", ""),
        ("slow_log", "slow_query_log_file", "slow_query_log"),
        ("general_log", "general_log_file", "general_log"),
    ):
        file = variables.get(variable, "")
        written = not switch or variables.get(switch, "OFF") in {"ON", "1"}
        if written and file not in {"", "stderr"}:
            found[purpose] = posixpath.dirname(whole(file))
            if purpose == "log":
                found[LOG_FILE] = whole(file)
    for position, path in enumerate(filter(None, variables.get("tmpdir", "").split(":")), start=1):
        found["tmp" if position == 1 else f"tmp{position}"] = whole(path)
    return found
