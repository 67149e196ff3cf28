"""Measurements of replication from the rows of both sides, without false zeros. No I/O.

The rows are those that ``replication_lag`` reads.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta

from probes.model import Measurement, Row, Text
from probes.postgresql.replication import pause
from probes.words.units import written

_OF_REPLAY = ("replication_lag_bytes", "replication_lag_seconds")


def streams(row: Row) -> bool:
    """Whether this replica's receiver is connected and streaming, not merely running."""
    return bool(row["has_receiver"]) and row["status"] == "streaming"


def replica_measurements(
    row: Row,
    target: str,
    caught_up_at: datetime | None,
    why_paused: Mapping[str, Text] = pause.UNKNOWN,
) -> tuple[Measurement, ...]:
    """Measurements from a replica's own row; ``caught_up_at`` is when it last had no lag,
    ``why_paused`` the reason and advice for a paused replay.

    Without a streaming receiver there is no measurement of lag, neither seconds nor bytes, because
    it is not known what the primary has written since. A replica that is fed only from an archive
    needs no receiver.
    """
    found = [Measurement("replay_paused", float(bool(row["paused"])), detail=dict(why_paused))]
    streaming = streams(row)
    if row["streams"] or streaming:
        found.append(
            Measurement(
                "receiver_up",
                float(streaming),
                detail={
                    "state": _receiver(row["status"]),
                    "received": row["received"] or "-",
                    "sender": f"{row['sender_host'] or '?'}:{row['sender_port'] or '?'}",
                },
            )
        )
        if row["timeline"]:
            found.append(Measurement("timeline", float(row["timeline"])))
    if not streaming:
        return tuple(found)
    silent = row["silent_seconds"]
    if silent is not None:
        found.append(Measurement("receiver_silent_seconds", max(0.0, silent)))
    if row["behind_bytes"] is None:
        return tuple(found)
    detail = {"who": target, "cause": _cause(row)}
    behind = max(0.0, row["behind_bytes"])
    seconds = lag_seconds(row, caught_up_at)
    if row["intended_seconds"]:
        # It is not known which of these bytes are late and which only wait; seconds show it.
        found.append(Measurement("replication_delayed_bytes", behind))
    else:
        found.append(Measurement("replication_lag_bytes", behind, detail=detail))
    if seconds is not None:
        found.append(Measurement("replication_lag_seconds", seconds, detail=detail))
    return tuple(found)


def _receiver(status: str | None) -> Text:
    if status is None:
        return Text("the WAL receiver does not run")
    return Text("the WAL receiver is in state {status}", status=status)


def _cause(row: Row) -> Text:
    if row["paused"]:
        return Text("replay is paused")
    return Text("replay is {amount} behind", amount=written(max(0.0, row["behind_bytes"]), "bytes"))


def lag_seconds(row: Row, caught_up_at: datetime | None) -> float | None:
    """Age of the oldest record not yet replayed, beyond an intended delay; None when unknown.

    0 with nothing left to replay, however idle the primary. Otherwise at most the age of the last
    replayed commit, at most the time since the replica last had no lag, and at least the age of the
    newest WAL that was announced.
    """
    if row["behind_bytes"] <= 0:
        return 0.0
    now: datetime = row["now"]
    at_most = [at for at in (row["last_replayed"], caught_up_at) if at is not None]
    at_least = row["latest_end_time"]
    if not at_most and at_least is None:
        return None
    behind_since = max(at_most) if at_most else at_least
    if at_least is not None:
        behind_since = min(behind_since, at_least)
    intended = timedelta(seconds=row["intended_seconds"] or 0.0)
    return max(0.0, (now - behind_since - intended).total_seconds())


def expected(label: str) -> tuple[str, ...]:
    """The names in a target's label, separated by commas."""
    return tuple(name.strip() for name in label.split(",") if name.strip())


def shared_names(rows: Iterable[Row]) -> frozenset[str]:
    """Application names used by standbys of several addresses.

    One address twice is a standby that came back before its old walsender ended.
    """
    who = {(row["name"], row["client"]) for row in rows}
    times = Counter(str(name) for name, _ in who)
    return frozenset(name for name, count in times.items() if count > 1)


def standby_measurements(
    rows: Iterable[Row],
    target: str,
    delayed: frozenset[str] = frozenset(),
    shared: frozenset[str] = frozenset(),
) -> tuple[Measurement, ...]:
    """Measurements of each standby from the primary's view; subjects are application names, made
    unique.

    For those in ``delayed`` replay is left out: they lag on purpose, by a delay only they know.
    ``shared``: names that several standbys were seen to use, now or earlier; when one leaves, the
    other must keep its own.
    """
    rows = list(rows)
    shared |= shared_names(rows)
    found: dict[tuple[str, str], Measurement] = {}
    for row in rows:
        name = f"{row['name']}@{row['client']}" if row["name"] in shared else row["name"]
        for measurement in _of_standby(row, name, target):
            if row["name"] in delayed and measurement.measure in _OF_REPLAY:
                continue
            key = (measurement.measure, name)
            if key not in found or _is_worse(measurement, found[key]):
                found[key] = measurement
    return tuple(found.values())


def _of_standby(row: Row, name: str, target: str) -> Iterable[Measurement]:
    state = str(row["state"])
    detail = {
        "who": Text("{name} (as {target} sees it)", name=name, target=target),
        "cause": Text("replay is behind"),
    }
    yield Measurement("standby_streaming", float(state == "streaming"), name, {"state": state})
    for measure, column in (
        ("replication_sent_lag_bytes", "sent_bytes"),
        ("replication_write_lag_bytes", "write_bytes"),
        ("replication_flush_lag_bytes", "flush_bytes"),
        ("replication_lag_bytes", "replay_bytes"),
    ):
        if row[column] is not None:  # pg_receivewal replays nothing
            yield Measurement(measure, max(0.0, row[column]), name, detail)
    if row["replay_bytes"] is not None and row["replay_bytes"] <= 0:
        yield Measurement("replication_lag_seconds", 0.0, name, detail)
    elif row["replay_seconds"] is not None:
        yield Measurement("replication_lag_seconds", row["replay_seconds"], name, detail)


def _is_worse(one: Measurement, other: Measurement) -> bool:
    if one.measure == "standby_streaming":
        return one.value < other.value
    return one.value > other.value
