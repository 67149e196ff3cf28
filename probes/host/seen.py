"""Maps a server's paths to the volumes of this host, and lists the paths that cannot be read.

Shared by the probes of free space, forecast and deleted files. A path that cannot be read is
reported with the command that fixes it; it is never guessed and never taken for a neighbouring
volume.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from probes.local.mounts import FailingError, Mounts, StuckError, Volume
from probes.local.server_log import LOG_FILE
from probes.model import FailureKind, ProbeError, Session, Target, Text
from probes.wire import deadline
from probes.words import failure_text

SECONDS_PER_LOOK = 2.0

BACKUP = "backup"
"""The configuration key of the path where backups are stored."""

_RIGHT = {"postgresql": "pg_monitor"}
"""By engine: the right without which the server does not return its paths; others need none."""

_GROUP_ACCESS = {"postgresql": "initdb --allow-group-access"}
"""By engine: the setting that lets the server's group read its files; others do so by default."""

_FIRST = ("data", "wal", "log", "temp", "tmp")


@dataclass(frozen=True, slots=True)
class Unseen:
    """A path that could not be read, and why."""

    path: str
    reason: Text


@dataclass(frozen=True, slots=True)
class TargetVolumes:
    """The volumes found behind all paths of one target."""

    volumes: Mapping[str, tuple[Volume, tuple[str, ...]]]  # mount -> volume and what it holds
    unseen: Mapping[str, Unseen]  # purpose ->
    readable: Mapping[str, str]  # purpose -> path
    stuck: Mapping[str, tuple[float, tuple[str, ...]]]  # mount -> seconds and what it holds
    failing: Mapping[str, tuple[str, tuple[str, ...]]] = field(default_factory=dict)
    """Mount -> the error its device returns, and what it contains."""


def require_here(target: Target) -> None:
    """Raise ``ProbeError(UNSUPPORTED)`` for a server on another host than the agent's."""
    if not target.host:
        raise ProbeError(
            FailureKind.UNSUPPORTED,
            Text("the server does not run on the agent's host"),
        )


def paths_of(session: Session) -> Mapping[str, str]:
    """Purpose -> path: what the server reports, with the configuration's additions and corrections.

    The backup path is not included: a volume kept full by its retention, or mounted read-only on
    purpose, is not a fault of the server; ``backup_age`` checks the backups.

    Raises ``ProbeError``: UNSUPPORTED for a server on another host, BLIND when no path is known.
    """
    target = session.target
    require_here(target)
    paths = {**session.paths(), **target.volumes}
    paths.pop(BACKUP, None)
    paths.pop(LOG_FILE, None)
    if not paths:
        raise _nothing_known(target)
    return paths


def paths_seen_elsewhere(session: Session) -> Mapping[str, str]:
    """The same map for probes that need it but do not report its problems.

    ``volumes`` reports an unknown path once; here it is UNSUPPORTED.
    """
    try:
        return paths_of(session)
    except ProbeError as error:
        raise ProbeError(FailureKind.UNSUPPORTED, failure_text.words(error.failure)) from error


def look_at(paths: Mapping[str, str], mounts: Mounts) -> TargetVolumes:
    """Find the volume of every path, data first; volumes on one device count once."""
    by_device: dict[int, tuple[Volume, list[str]]] = {}
    unseen: dict[str, Unseen] = {}
    readable: dict[str, str] = {}
    stuck: dict[str, tuple[float, list[str]]] = {}
    failing: dict[str, tuple[str, list[str]]] = {}
    for purpose in sorted(paths, key=_order):
        path = paths[purpose]
        try:
            volume = mounts.look(path, min(SECONDS_PER_LOOK, deadline.remaining() / 2))
        except StuckError as error:
            stuck.setdefault(error.mount, (error.since_seconds, []))[1].append(purpose)
        except FailingError as error:
            failing.setdefault(error.mount, (error.reason, []))[1].append(purpose)
        except OSError as error:
            unseen[purpose] = Unseen(path, _why(error))
        else:
            readable[purpose] = path
            by_device.setdefault(volume.device, (volume, []))[1].append(purpose)
    return TargetVolumes(
        {volume.mount: (volume, tuple(holds)) for volume, holds in by_device.values()},
        unseen,
        readable,
        {mount: (seconds, tuple(holds)) for mount, (seconds, holds) in stuck.items()},
        {mount: (reason, tuple(holds)) for mount, (reason, holds) in failing.items()},
    )


def _order(purpose: str) -> tuple[int, str]:
    return (_FIRST.index(purpose) if purpose in _FIRST else len(_FIRST), purpose)


def _why(error: OSError) -> Text:
    if isinstance(error, PermissionError):
        return Text("may not be read by the agent")
    if isinstance(error, FileNotFoundError | NotADirectoryError):
        return Text("does not exist on this host")
    return Text.verbatim(f"{error.strerror}")


def _nothing_known(target: Target) -> ProbeError:
    right = _RIGHT.get(target.engine, "")
    holding = Text(" and holds {right}", right=right)
    return ProbeError(
        FailureKind.BLIND,
        Text("it is not known where the server keeps its files"),
        Text(
            "Make sure that the monitoring account can log in{holding}, or write volumes: "
            "{{data: …}} at target {target}.",
            holding=holding if right else "",
            target=target.name,
        ),
    )


def data_unseen(unseen: Unseen, target: Target) -> ProbeError:
    """The failure of a target whose data directory cannot be read."""
    return ProbeError(
        FailureKind.BLIND,
        Text("the data directory {path} {reason}", path=unseen.path, reason=unseen.reason),
        fix("data", unseen.path, target.engine),
    )


def fix(purpose: str, path: str, engine: str) -> Text:
    """The command that lets the agent read a path."""
    access = _GROUP_ACCESS.get(engine, "")
    first = f"{access}, " if access else ""
    return Text(
        "Write volumes: {{{purpose}: /mount/point}} at the target, naming a directory on the "
        "same volume that the agent may read, or give the agent access to {path} "
        "({first}membership of its group). If the server lives on another host or in a "
        "container, write local: false for this target.",
        purpose=purpose,
        path=path,
        first=first,
    )
