"""Six ways to make a target hang, and to end it.

Ten targets hang whatever this machine lacks; an unavailable kind is listed in ``missing`` with the
reason, and servers that never answer replace it.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path

from _pytest.outcomes import Skipped

from benchmarks import daemon, grounds, network
from benchmarks.grounds import Ground
from benchmarks.stuck_mount import own_mounts, stuck_mount
from probes import Target
from tests.support.agent import target_lines

ENGINES = ("postgresql", "mysql")
HEALTHY, HUNG = 40, 10
HEALTHY_EVERY, HUNG_EVERY = "1s", "280ms"
_SETTINGS = {"max_connections": "150"}


@dataclass(frozen=True)
class Kind:
    """One way to hang, and the targets that do."""

    title: str
    targets: tuple[Target, ...]
    hang: Callable[[], None]
    heal: Callable[[], None]
    ground: Ground | None = None  # whose server only these targets use
    mount: Path | None = None  # that does not answer; the server does

    @property
    def names(self) -> frozenset[str]:
        return frozenset(each.name for each in self.targets)


class Kinds:
    """The healthy servers, and the ten targets that will hang."""

    def __init__(self, stack: ExitStack, folder: Path) -> None:
        self.missing: list[str] = []
        self._stack = stack
        self.healthy: list[Ground] = [
            stack.enter_context(grounds.postgres(_SETTINGS, tables=False)),
            stack.enter_context(grounds.maria(tables=False)),
        ]
        pg = stack.enter_context(grounds.postgres(_SETTINGS, tables=False))
        maria = stack.enter_context(grounds.maria(tables=False))
        self.all = [_stopped("PostgreSQL", pg), _stopped("MariaDB", maria)]
        self._mysql()
        if os.geteuid() == 0:
            self._black_hole()
            self._stuck_mount(folder / "mount")
        else:
            self.missing += ["black hole: needs root", "stuck mount: needs root"]
        self.all.append(self._silent(HUNG - sum(len(kind.targets) for kind in self.all)))

    def lines(self) -> list[str]:
        """Every target as agent.yaml has it: the four questions, and of the host only the mount."""
        found = [
            _line(replace(self.healthy[number % 2].target, name=f"sehat{number:02}"), HEALTHY_EVERY)
            for number in range(HEALTHY)
        ]
        for kind in self.all:
            found += [_line(each, HUNG_EVERY, kind.mount) for each in kind.targets]
        return found

    def hang(self) -> None:
        """From now on ten targets do not answer."""
        for kind in self.all:
            kind.hang()

    def sessions(self) -> int:
        """Ours on the healthy servers, as they count them."""
        return sum(ground.sessions()[0] for ground in self.healthy)

    def _mysql(self) -> None:
        try:
            ground = self._stack.enter_context(grounds.oracle())
        except Skipped as reason:
            self.missing.append(f"MySQL: {reason}")
        else:
            self.all.append(_stopped("MySQL", ground))

    def _black_hole(self) -> None:
        ground = self._stack.enter_context(grounds.postgres(_SETTINGS, tables=False))
        port = ground.target.address.port
        self.all.append(
            Kind(
                "black hole",
                _named("lubang", ground.target, 2),
                lambda: network.swallow(port),
                lambda: network.let_through(port),
                ground,
            )
        )

    def _stuck_mount(self, place: Path) -> None:
        try:
            own_mounts()
            mount = self._stack.enter_context(stuck_mount(place))
        except OSError as error:
            self.missing.append(f"stuck mount: {error}")
        else:
            targets = _named("pasangan", self.healthy[0].target, 1)
            self.all.append(Kind("stuck mount", targets, mount.hang, mount.heal, mount=place))

    def _silent(self, count: int) -> Kind:
        """Servers that accept and never answer."""
        real = self.healthy[0].target
        relay = network.Relay(real.address.port)
        self._stack.callback(relay.close)
        address = replace(real.address, port=relay.port)

        def silent(now: bool) -> None:
            relay.silent = now

        return Kind(
            "accepts, never answers",
            _named("bisu", replace(real, address=address), count),
            lambda: silent(True),
            lambda: silent(False),
        )


def _stopped(title: str, ground: Ground) -> Kind:
    """Two targets on a server whose processes are stopped."""
    targets = _named(f"beku-{title.lower()}", ground.target, 2)
    return Kind(f"{title}, SIGSTOP", targets, ground.server.freeze, ground.server.thaw, ground)


def _named(prefix: str, target: Target, count: int) -> tuple[Target, ...]:
    return tuple(replace(target, name=f"{prefix}{number}") for number in range(1, count + 1))


def _line(target: Target, every: str, mount: Path | None = None) -> str:
    asked: Sequence[str] = (*daemon.FOUR, "volumes") if mount else daemon.FOUR
    probes = daemon.only(target.engine, asked, every)
    if mount is None:
        return target_lines(target, local="false", probes=probes)
    return target_lines(target, local="true", probes=probes, volumes=f"{{data: {mount}}}")
