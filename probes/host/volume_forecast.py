"""When each volume of the server will be full at its present growth.

Keeps the history of used space (``probes.host.samples``) and calls ``probes.host.forecast``. If no
forecast is possible there is no time, only ``volume_forecast_known`` 0 with the reason.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import Any

from probes.host.forecast import FAR_SECONDS, Forecast, Unknown, forecast
from probes.host.samples import from_plain
from probes.host.seen import TargetVolumes, look_at, paths_seen_elsewhere
from probes.local.mounts import SHARED
from probes.model import KeptKey, Measure, Measurement, Memory, Probe, Session, Text, Threshold
from probes.words.units import written

_HISTORY = KeptKey[dict[str, Any]]("used", dict)
"""Used space over time, by mount point."""


def read(session: Session) -> Iterable[Measurement]:
    """One forecast for each volume that answers. Raises ``ProbeError(UNSUPPORTED)`` for a server on
    another host or with unknown paths (``volumes`` is blind then and reports it).

    The time is the host's own clock: the history must stay valid over a restart of the agent.
    """
    return tuple(
        forecasts(look_at(paths_seen_elsewhere(session), SHARED), session.memory, time.time())
    )


def forecasts(seen: TargetVolumes, memory: Memory, now: float) -> Iterable[Measurement]:
    """Record the used space of every volume at ``now`` (seconds since the epoch), and forecast.

    The history survives a restart of the agent. Volumes that were removed are forgotten; one that
    only does not answer keeps its history.
    """
    kept = memory.of(_HISTORY, {})
    for mount in set(kept) - set(seen.volumes) - set(seen.stuck) - set(seen.failing):
        del kept[mount]
    for mount, (volume, holds) in seen.volumes.items():
        history = from_plain(kept.get(mount)).add(now, volume.used_bytes)
        kept[mount] = history.as_plain()
        detail: dict[str, object] = {
            "holds": ", ".join(holds),
            "free": written(volume.free_bytes, "bytes"),
        }
        match forecast(history, volume.free_bytes, now):
            case Unknown(reason):
                known = {**detail, "reason": reason}
                yield Measurement("volume_forecast_known", 0.0, mount, known)
            case Forecast(seconds, speed, basis):
                detail["basis"] = basis
                detail["speed"] = written(speed * 3600, "bytes")
                yield Measurement("volume_forecast_known", 1.0, mount, detail)
                yield Measurement("volume_growth_bytes_per_second", speed, mount, detail)
                yield Measurement("volume_full_in_seconds", seconds, mount, detail)


PROBE = Probe(
    name="volume_forecast",
    engine="host",
    question=Text("When will each volume be full, if it goes on like this?"),
    measures=(
        Measure(
            "volume_full_in_seconds",
            "seconds",
            f"Until the volume is full; {FAR_SECONDS / 86400:.0f} days stands for not filling.",
            "volume",
        ),
        Measure(
            "volume_growth_bytes_per_second", "bytes", "The growth behind that forecast.", "volume"
        ),
        Measure("volume_forecast_known", "", "0 when no forecast is possible.", "volume"),
    ),
    thresholds=(
        Threshold(
            "volume_full_in_seconds",
            Text(
                "{target}: volume {subject} ({holds}) is full in {value}: growing by {speed} an "
                "hour {basis}, {free} free"
            ),
            Text(
                "See who grows (finding disk_growth; slot, archive, binlog, temporary files), "
                "release what holds it, or enlarge the volume before the time is up."
            ),
            "volume",
            # A day leaves an office one working day to act; at two hours a person must be
            # called (the tightest rule in common use). Clearing at twice the limit keeps a
            # fluctuating growth from flapping.
            warning=86400.0,
            critical=7200.0,
            above=False,
            raise_after=3,
            clear_after=5,
            clear_margin=1.0,
            headline=Text("{target}: volume {subject} ({holds}) will be full"),
            # After a clean-up the time is unknown and the old finding no longer valid: if it
            # still fills, the fast method finds it again.
        ),
    ),
    read=read,
    every=30.0,
    runbook=Text(
        "1. The finding disk_growth names who grows. 2. A slot: reconnect the replica or drop the "
        "slot nobody owns. 3. The archive: mend archive_command. 4. Binlogs: check how long they "
        "are kept. 5. Enlarge the volume."
    ),
)
