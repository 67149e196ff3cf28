"""Faults of the demo: each is real and is undone exactly.

``break_it`` causes a fault on a server; ``heal`` undoes that and nothing else. Whether a fault is
present is read from the server, not remembered. An unknown name is answered with the known ones.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import psycopg2
import pymysql

from agent.demo.errors import DemoError
from agent.demo.scene import ground as names
from agent.demo.scene.esurat import PLANTED
from agent.demo.scene.pileup import VICTIMS, PileUp
from agent.demo.scene.world import World
from agent.demo.servers.mariadb import MariaDB
from agent.demo.servers.postgresql import PostgreSQL
from agent.demo.servers.process import freeze, thaw, wait_until
from probes import Text

log = logging.getLogger("sigap.demo")

SEEN_SECONDS = 10.0
Ask = Callable[["Faults", str], None]


@dataclass(frozen=True, slots=True)
class Fault:
    """One kind of fault; ``targets`` in order, the first is the default."""

    name: str
    title: Text
    what: Text  # what it does to a server, in one sentence
    targets: tuple[str, ...]
    apply: Ask
    undo: Ask
    stands: Callable[[Faults, str], bool]
    done: Mapping[str, Text] = field(default_factory=dict)  # by engine, where that differs

    def said_of(self, engine: str) -> Text:
        """Its effect on a server of this engine, in words."""
        return self.done.get(engine, self.what)


class Faults:
    """Breaks and repairs one demo; one action at a time."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.pile_ups: dict[str, PileUp] = {}
        self._one_at_a_time = threading.Lock()

    def targets(self, fault: Fault) -> tuple[str, ...]:
        """Where this fault is possible in this demo."""
        if fault.name == "volume" and not self.world.simpeg.has_volume:
            return ()
        return tuple(name for name in fault.targets if name in self.world.servers)

    def status(self) -> dict[str, tuple[str, ...]]:
        """Fault -> targets on which it is present now."""
        return {
            name: tuple(t for t in self.targets(fault) if fault.stands(self, t))
            for name, fault in FAULTS.items()
        }

    def break_it(self, name: str, target: str = "") -> Text:
        """Cause a fault; returns the sentence that describes it. Raises ``DemoError``."""
        fault = find(name)
        chosen = self._chosen(fault, target)
        with self._one_at_a_time:
            if fault.stands(self, chosen):
                raise DemoError(
                    Text(
                        "Fault {name} is already present on {chosen}; "
                        "heal it with `sigap demo heal {name}`.",
                        name=name,
                        chosen=chosen,
                    )
                )
            self._refuse_frozen(chosen, fault)
            self._guarded(fault, chosen, fault.apply)
        log.info("demo fault %s caused on %s", name, chosen)
        said = fault.said_of(self.world.servers[chosen].engine)
        return Text("{chosen}: {said}", chosen=chosen, said=said)

    def heal(self, name: str, target: str = "") -> Text:
        """Undo a fault on one target, or wherever it is present. Raises ``DemoError``."""
        fault = find(name)
        with self._one_at_a_time:
            where = [self._chosen(fault, target)] if target else list(self.targets(fault))
            where = [each for each in where if fault.stands(self, each)]
            if not where:
                raise DemoError(
                    Text("Fault {name} is not present now; see `sigap demo status`.", name=name)
                )
            for each in where:
                self._refuse_frozen(each, fault)
                self._guarded(fault, each, fault.undo)
        log.info("demo fault %s healed on %s", name, ", ".join(where))
        return Text("{name} healed on {where}.", name=name, where=", ".join(where))

    def _chosen(self, fault: Fault, target: str) -> str:
        possible = self.targets(fault)
        if not possible:
            raise DemoError(
                Text(
                    "The fault {name} is not available here: the small volume needs root "
                    "or user namespaces. Run the demo as root.",
                    name=fault.name,
                )
            )
        if not target:
            return possible[0]
        if target not in possible:
            raise DemoError(
                Text(
                    "Fault {name} is not possible on {target}; choose from: {possible}.",
                    name=fault.name,
                    target=target,
                    possible=", ".join(possible),
                )
            )
        return target

    def _refuse_frozen(self, target: str, fault: Fault) -> None:
        """A frozen server does not answer, so no other fault is possible in its cluster."""
        if fault.name in {"freeze", "stop", "volume"}:
            return
        pair = next(pair for pair in PAIRS if target in pair)
        for name in pair:
            if self.world.servers[name].server.frozen():
                raise DemoError(
                    Text(
                        "{name} is frozen; heal that first with `sigap demo heal freeze`.",
                        name=name,
                    )
                )

    def _guarded(self, fault: Fault, target: str, action: Ask) -> None:
        try:
            action(self, target)
        except (psycopg2.Error, pymysql.MySQLError, OSError) as error:
            words = " ".join(str(error).split())
            raise DemoError(
                Text(
                    "{name} on {target} failed: {words}. See `sigap demo status`.",
                    name=fault.name,
                    target=target,
                    words=words,
                )
            ) from error


def find(name: str) -> Fault:
    """The fault of that name; raises ``DemoError`` that lists the names."""
    if name not in FAULTS:
        known = ", ".join(FAULTS)
        raise DemoError(
            Text(
                "There is no fault named {name}; there are: {known}.", name=repr(name), known=known
            )
        )
    return FAULTS[name]


def _expect(condition: Callable[[], bool], what: Text) -> None:
    """Wait until the fault is visible on the server; raise if it has no effect."""
    if not wait_until(condition, SEEN_SECONDS):
        raise DemoError(what)


def _not_seen(target: str) -> Text:
    return Text(
        "{target} was not disturbed as expected; see the server's log in the demo folder.",
        target=target,
    )


# -- replication ---------------------------------------------------------------------------------


def _replication_breaks(faults: Faults, target: str) -> None:
    world = faults.world
    if target == names.PG_REPLICA:
        primary = world.simpeg.servers[names.PG_PRIMARY]
        primary.admit_replication(False)
        primary.ask("select pg_reload_conf()")
        primary.ask("select pg_terminate_backend(pid, 5000) from pg_stat_replication")
        _expect(lambda: not world.simpeg.streams(), _not_seen(target))
        return
    replica, my_primary = world.esurat.servers[target], world.esurat.servers[names.MY_PRIMARY]
    # a row is inserted on the replica that the primary will insert too: duplicate key, error 1062
    row = my_primary.ask("SELECT COALESCE(MAX(nomor), 0) + 1 AS next FROM esurat.agenda")[0]["next"]
    replica.ask(
        "SET sql_log_bin = 0",
        "INSERT INTO esurat.agenda VALUES (%s, %s)",
        parameters=(row, PLANTED),
    )
    my_primary.ask("INSERT INTO esurat.agenda VALUES (%s, 'Rapat anggaran')", parameters=(row,))
    _expect(lambda: not replica.replicates, _not_seen(target))


def _replication_heals(faults: Faults, target: str) -> None:
    world = faults.world
    if target == names.PG_REPLICA:
        primary = world.simpeg.servers[names.PG_PRIMARY]
        primary.admit_replication(True)
        primary.ask("select pg_reload_conf()")
        world.simpeg.mend_streaming()
    else:
        world.esurat.mend()


def _replication_stands(faults: Faults, target: str) -> bool:
    world = faults.world
    if target == names.PG_REPLICA:
        return not world.simpeg.servers[names.PG_PRIMARY].admits_replication
    replica = world.esurat.servers[target]
    if replica.server.frozen() or not replica.server.running():
        return False
    try:
        return replica.replication().get("Slave_SQL_Running") == "No"
    except (pymysql.MySQLError, OSError):
        return False


# -- lock ----------------------------------------------------------------------------------------


def _lock_breaks(faults: Faults, target: str) -> None:
    server = faults.world.servers[target]
    faults.pile_ups[target] = PileUp(server, faults.world.ground.secret("application"))
    _expect(lambda: waiting(server) >= VICTIMS, _not_seen(target))


def _lock_heals(faults: Faults, target: str) -> None:
    faults.pile_ups.pop(target).release()


def _lock_stands(faults: Faults, target: str) -> bool:
    return target in faults.pile_ups and faults.pile_ups[target].stands()


def waiting(server: PostgreSQL | MariaDB) -> int:
    """How many sessions wait for a lock on a server, as the server reports."""
    if isinstance(server, PostgreSQL):
        rows = server.ask("select count(*) from pg_stat_activity where wait_event_type = 'Lock'")
        return int(rows[0][0])
    # not INNODB_TRX: its cached answer is not refreshed while it is read ten times a second
    found = server.ask("SHOW GLOBAL STATUS LIKE 'Innodb_row_lock_current_waits'")
    return int(found[0]["Value"])


# -- freeze, volume, stop ------------------------------------------------------------------------


def _freeze_breaks(faults: Faults, target: str) -> None:
    server = faults.world.servers[target].server
    if server.record is None or not server.running():
        raise DemoError(
            Text(
                "{target} does not run; start it first with `sigap demo heal stop`.", target=target
            )
        )
    freeze(server.record)
    _expect(server.frozen, _not_seen(target))


def _freeze_heals(faults: Faults, target: str) -> None:
    record = faults.world.servers[target].server.record
    if record is not None:
        thaw(record)
    _expect(faults.world.servers[target].answers, _not_seen(target))


def _freeze_stands(faults: Faults, target: str) -> bool:
    return faults.world.servers[target].server.frozen()


def _volume_breaks(faults: Faults, target: str) -> None:
    faults.world.volume.fill()


def _volume_heals(faults: Faults, target: str) -> None:
    faults.world.volume.empty()


def _volume_stands(faults: Faults, target: str) -> bool:
    return faults.world.volume.full


def _stop_breaks(faults: Faults, target: str) -> None:
    server = faults.world.servers[target]
    pile_up = faults.pile_ups.pop(target, None)
    if pile_up is not None and not server.server.frozen():
        pile_up.release()
    server.stop()


def _stop_heals(faults: Faults, target: str) -> None:
    faults.world.servers[target].start()


def _stop_stands(faults: Faults, target: str) -> bool:
    return not faults.world.servers[target].server.running()


PAIRS = ((names.PG_PRIMARY, names.PG_REPLICA), (names.MY_PRIMARY, names.MY_REPLICA))

FAULTS: Mapping[str, Fault] = {
    fault.name: fault
    for fault in (
        Fault(
            "replication",
            Text("Replication cut"),
            Text(
                "the replica no longer follows its primary: on PostgreSQL, pg_hba.conf rejects "
                "replication; on MariaDB, it stops at a duplicate key (error 1062)."
            ),
            (names.PG_REPLICA, names.MY_REPLICA),
            _replication_breaks,
            _replication_heals,
            _replication_stands,
            {
                "postgresql": Text(
                    "the replica no longer follows its primary: pg_hba.conf there rejects "
                    "replication."
                ),
                "mysql": Text(
                    "the replica no longer follows its primary: replication stopped at a "
                    "duplicate key (error 1062)."
                ),
            },
        ),
        Fault(
            "lock",
            Text("Lock pile-up"),
            Text(
                "one forgotten transaction holds a lock and {victims} sessions wait behind it.",
                victims=VICTIMS,
            ),
            (names.PG_PRIMARY, names.MY_PRIMARY),
            _lock_breaks,
            _lock_heals,
            _lock_stands,
        ),
        Fault(
            "freeze",
            Text("Server frozen"),
            Text("all its processes are stopped (SIGSTOP): it takes connections and answers none."),
            names.NAMES,
            _freeze_breaks,
            _freeze_heals,
            _freeze_stands,
        ),
        Fault(
            "volume",
            Text("Volume full"),
            Text("the small volume that holds the WAL is filled to its last byte."),
            (names.PG_PRIMARY,),
            _volume_breaks,
            _volume_heals,
            _volume_stands,
        ),
        Fault(
            "stop",
            Text("Server stopped"),
            Text("the server is shut down in order, as systemctl stop does."),
            (names.PG_PRIMARY, names.MY_PRIMARY, names.PG_REPLICA, names.MY_REPLICA),
            _stop_breaks,
            _stop_heals,
            _stop_stands,
        ),
    )
}
