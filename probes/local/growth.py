"""What fills a volume: the size of each consumer of disk space, and how fast it grows.

Each engine knows its consumers (WAL kept by a slot, binary logs, temporary files, a database). This
module computes their growth and names the one that fills a volume. Growth is reported only after
several minutes of observation and is measured from the last fall, so deleted files never count as
negative growth. No I/O except in ``room_on``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from probes.i18n.headings import headings
from probes.local.mounts import SHARED, FailingError, StuckError
from probes.model import Exhibit, Measure, Measurement, Memory, MemoryKey, Session, Text, Threshold
from probes.wire import deadline
from probes.words.tables import FIRST_OF_ALL
from probes.words.units import written

SIZES = MemoryKey[dict[str, list[list[float]]]]("samples of time and size, by consumer")

WINDOW_SECONDS = 3600.0
LEAST_SECONDS = 240.0
LEAST_SAMPLES = 3
_APART_SECONDS = 50.0
_MOST_WATCHED = 100
_FALL = 0.01  # of what is held: less is the breathing of recycled files
SECONDS_PER_LOOK = 1.0


@dataclass(frozen=True, slots=True)
class Use:
    """The present size of one consumer."""

    consumer: str  # a stable word: wal, binlog, temp, database:simpeg; becomes a label
    bytes: float
    place: str  # the purpose of the path it lies in, as ``Session.paths`` names it
    who: Text  # in words, with what holds it
    ceiling: float | None = None  # bytes it stops at by itself; None: nothing stops it


@dataclass(frozen=True, slots=True)
class Headroom:
    """Free space of the volume behind one path."""

    mount: str
    free_bytes: float


@dataclass(frozen=True, slots=True)
class Filling:
    """The consumers that together fill one volume, the fastest first."""

    room: Headroom
    seconds: float  # until it is full at their growth
    speeds: tuple[tuple[Use, float], ...] = field(default=())


def watch(memory: Memory, now: float, values: Mapping[str, float]) -> None:
    """Record the size of each consumer at ``now``, the server's clock in seconds.

    A consumer that is not reported for the length of the window is forgotten.
    """
    past = memory.of(SIZES, {})
    for name in sorted(values, key=lambda each: -values[each])[:_MOST_WATCHED]:
        value = values[name]
        samples = [each for each in past.get(name, []) if 0 <= now - each[0] < WINDOW_SECONDS]
        if samples and samples[-1][1] - value > _FALL * samples[-1][1]:
            samples = []
        if not samples or now - samples[-1][0] >= _APART_SECONDS:
            samples.append([now, value])
        past[name] = samples
    for name in [name for name, each in past.items() if now - each[-1][0] >= WINDOW_SECONDS]:
        del past[name]


def speeds(memory: Memory) -> dict[str, float]:
    """The growth of each thing watched, in bytes a second; absent while it is not known."""
    told = {name: _speed(samples) for name, samples in (memory.get(SIZES) or {}).items()}
    return {name: speed for name, speed in told.items() if speed is not None}


def _speed(samples: list[list[float]]) -> float | None:
    span = samples[-1][0] - samples[0][0]
    if len(samples) < LEAST_SAMPLES or span < LEAST_SECONDS:
        return None
    # Growth in the second half too: a single large write is over, and fills nothing any more.
    middle = samples[len(samples) // 2][1]
    if samples[-1][1] <= middle:
        return 0.0
    return (samples[-1][1] - samples[0][1]) / span


def room_on(session: Session, purposes: Iterable[str]) -> Mapping[str, Headroom]:
    """The volumes behind those paths, for a server on this host and as far as they are readable.

    A volume that cannot be read is absent here; the probe ``volumes`` reports it with the fix.
    """
    target = session.target
    if not target.host:
        return {}
    paths = {**session.paths(), **target.volumes}
    found = {}
    for purpose in dict.fromkeys(purposes):
        if purpose not in paths:
            continue
        try:
            seconds = min(SECONDS_PER_LOOK, deadline.remaining() / 4)
            volume = SHARED.look(paths[purpose], seconds)
        except (OSError, StuckError, FailingError):
            continue
        found[purpose] = Headroom(volume.mount, float(volume.free_bytes))
    return found


def fillings(
    uses: Iterable[Use], growth: Mapping[str, float], rooms: Mapping[str, Headroom]
) -> list[Filling]:
    """Which volumes fill up, because of which consumers, and when they are full.

    A consumer that stops at its own limit before the volume is full is not included.
    """
    by_mount: dict[str, list[tuple[Use, float]]] = {}
    room_of: dict[str, Headroom] = {}
    for use in uses:
        room, speed = rooms.get(use.place), growth.get(use.consumer, 0.0)
        if room is not None and speed > 0 and not _stops(use, room):
            by_mount.setdefault(room.mount, []).append((use, speed))
            room_of[room.mount] = room
    return [
        Filling(
            room_of[mount],
            room_of[mount].free_bytes / sum(speed for _, speed in growing),
            tuple(sorted(growing, key=lambda each: -each[1])),
        )
        for mount, growing in by_mount.items()
    ]


def _stops(use: Use, room: Headroom) -> bool:
    return use.ceiling is not None and use.bytes < use.ceiling < use.bytes + room.free_bytes


def measurements(
    uses: Iterable[Use],
    growth: Mapping[str, float],
    found: Iterable[Filling],
    more: Mapping[str, Text] | None = None,
) -> Iterable[Measurement]:
    """The numbers of ``MEASURES``; ``more`` adds words to the title of a mount's finding."""
    for use in uses:
        yield Measurement("disk_use_bytes", use.bytes, use.consumer)
        if use.consumer in growth:
            yield Measurement("disk_growth_bytes_per_second", growth[use.consumer], use.consumer)
    for filling in found:
        use, speed = filling.speeds[0]
        detail: dict[str, object] = {
            "who": use.who,
            "holds": written(use.bytes, "bytes"),
            "speed": written(speed * 3600, "bytes"),
            "free": written(filling.room.free_bytes, "bytes"),
            "more": (more or {}).get(filling.room.mount, Text("")),
        }
        yield Measurement("filled_by_in_seconds", filling.seconds, filling.room.mount, detail)


_NOT_KNOWN_YET = Text("not known yet")


def table(uses: Iterable[Use], growth: Mapping[str, float]) -> Exhibit:
    """Who holds what and grows how fast, the fastest first."""
    rows = sorted(uses, key=lambda each: (-growth.get(each.consumer, 0.0), -each.bytes))
    return Exhibit(
        Text("Who uses the room, as the server tells it"),
        headings("consumer", "holds", "growth per hour", "in words"),
        tuple(
            (
                use.consumer,
                written(use.bytes, "bytes"),
                written(growth[use.consumer] * 3600, "bytes")
                if use.consumer in growth
                else _NOT_KNOWN_YET,
                use.who,
            )
            for use in rows[:20]
        ),
        note=FIRST_OF_ALL.format(shown=20, all=len(rows)) if len(rows) > 20 else "",
    )


MEASURES = (
    Measure("disk_use_bytes", "bytes", "Space used by the consumer.", "consumer"),
    Measure("disk_growth_bytes_per_second", "bytes", "Growth of the consumer.", "consumer"),
    Measure(
        "filled_by_in_seconds",
        "seconds",
        "Time until a volume is full at its consumers' growth; absent: not growing.",
        "volume",
    ),
)

FILLED_BY = Threshold(
    "filled_by_in_seconds",
    Text(
        "{target}: {who} is filling volume {subject}: {holds}, growing by {speed} an hour, full in "
        "{value}{more}"
    ),
    Text(
        "Release what holds it (slot, archive, replica), stop what writes it, or enlarge the "
        "volume; never delete from pg_wal or the binlogs by hand."
    ),
    "volume",
    # It names the consumer; the host's forecast of the volume decides how urgent it is.
    # A growth observed for half an hour is extrapolated to six hours.
    warning=6 * 3600.0,
    above=False,
    raise_after=2,
    clear_after=3,
    clear_margin=0.5,
    headline=Text("{target}: {who} is filling volume {subject}"),
)
