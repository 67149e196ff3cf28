"""Server processes of the demo: started, recognised, frozen, thawed and ended by pid.

A process is touched only when its pid, start time and program are those recorded at its start, or
when it runs in one of this demo's own data directories. No process is left behind, not even of a
server that was frozen with SIGSTOP.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from agent.demo.home import write_private
from agent.demo.servers.account import Account

POLL_SECONDS = 0.02


@dataclass(frozen=True, slots=True)
class Record:
    """Identifies a started server later, in this process or the next demo."""

    name: str
    pid: int
    started_ticks: int  # field 22 of /proc/PID/stat: clock ticks since boot
    program: str  # base name of the executable
    data: str  # its data directory, which is also its working directory

    def alive(self) -> bool:
        """Whether exactly this process still runs (a zombie does not)."""
        facts = _stat(self.pid)
        return (
            facts is not None
            and facts.ticks == self.started_ticks
            and facts.state != "Z"
            and self.data in _cmdline(self.pid)
        )


@dataclass(frozen=True, slots=True)
class _Stat:
    parent: int
    state: str
    ticks: int


def _stat(pid: int) -> _Stat | None:
    try:
        text = Path(f"/proc/{pid}/stat").read_text("utf-8", errors="replace")
    except OSError:
        return None
    words = text[text.rindex(")") + 2 :].split()  # the name before it may hold anything
    return _Stat(parent=int(words[1]), state=words[0], ticks=int(words[19]))


def _cmdline(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().decode("utf-8", "replace")
    except OSError:
        return ""


def _pids() -> list[int]:
    return [int(name) for name in os.listdir("/proc") if name.isdigit()]


def tree(pid: int) -> list[int]:
    """A process and all its descendants, parents first; empty when it is gone."""
    parents = {p: facts.parent for p in _pids() if (facts := _stat(p)) is not None}
    if pid not in parents:
        return []
    found = [pid]
    for known in found:  # grows while it is walked
        found += [child for child, parent in parents.items() if parent == known]
    return found


def living_in(folders: Iterable[Path]) -> list[int]:
    """Server processes whose working directory is (or was) one of these data directories.

    A frozen child survives its leader; its working directory still identifies it.
    """
    wanted = {str(folder) for folder in folders}
    found = []
    for pid in _pids():
        try:
            where = os.readlink(f"/proc/{pid}/cwd").removesuffix(" (deleted)")
            program = os.path.basename(os.readlink(f"/proc/{pid}/exe").removesuffix(" (deleted)"))
        except OSError:
            continue
        if where in wanted and program in {"postgres", "mariadbd", "mysqld"}:
            found.append(pid)
    return found


def send(pids: Iterable[int], number: signal.Signals) -> None:
    """Send a signal; a process that has just ended is no error."""
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)


def wait_until(condition: Callable[[], bool], seconds: float) -> bool:
    """Wait for a condition; returns whether it became true in time."""
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(POLL_SECONDS)
    return True


def freeze(record: Record) -> int:
    """SIGSTOP the whole tree, leader first so that it starts no new child; how many stopped."""
    send([record.pid], signal.SIGSTOP)
    pids = tree(record.pid)
    send(pids, signal.SIGSTOP)
    return len(pids)


def standing_still(record: Record) -> bool:
    """Whether the whole tree is stopped; a child that ended meanwhile waits as a zombie."""
    facts = [_stat(pid) for pid in tree(record.pid)]
    return all(each is None or each.state in "tTZ" for each in facts)


def thaw(record: Record) -> None:
    """SIGCONT the whole tree, children first."""
    send(reversed(tree(record.pid)), signal.SIGCONT)


def frozen(record: Record) -> bool:
    """Whether the leader is stopped by a signal."""
    facts = _stat(record.pid)
    return record.alive() and facts is not None and facts.state in "tT"


class ProgramError(Exception):
    """A program that creates a server's files ended with an error; its last words."""

    def __init__(self, program: str, words: str) -> None:
        super().__init__(f"{program} failed: {words}")
        self.program = program
        self.words = words


def run_program(
    command: Sequence[str],
    account: Account,
    folder: Path,
    environment: Mapping[str, str] | None = None,
) -> None:
    """Run a program to its end in ``folder``, as the account. Raises ``ProgramError``."""
    done = subprocess.run(
        list(command),
        cwd=folder,
        env=None if environment is None else dict(environment),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
        **account.popen(),
    )
    if done.returncode != 0:
        words = " | ".join((done.stderr or done.stdout).strip().splitlines()[-3:])
        raise ProgramError(os.path.basename(command[0]), words)


class Server:
    """One server program."""

    def __init__(
        self,
        name: str,
        data: Path,
        records: Path | None,
        log: Path,
        account: Account,
        gentle: signal.Signals,
    ) -> None:
        """``gentle`` is the signal of an orderly, prompt shutdown.

        ``records`` is a folder for what identifies the process later; None where nobody will.
        """
        self.name = name
        self.data = data
        self.log = log
        self._account = account
        self._gentle = gentle
        self._file = records / f"{name}.json" if records is not None else None
        self._child: subprocess.Popen[bytes] | None = None
        self.record: Record | None = None

    def start(self, command: Sequence[str], environment: Mapping[str, str] | None = None) -> None:
        """Start the program in its data directory and record how to recognise it.

        ``environment`` replaces the inherited one. A session of its own protects the program from
        the terminal's Ctrl-C: whoever started it stops it in order.
        """
        with self.log.open("ab") as log:
            self._child = subprocess.Popen(
                list(command),
                cwd=self.data,
                env=None if environment is None else dict(environment),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                **self._account.popen(),
            )
        facts = _stat(self._child.pid)
        self.record = Record(
            self.name,
            self._child.pid,
            facts.ticks if facts else 0,
            os.path.basename(command[0]),
            str(self.data),
        )
        if self._file is not None:
            write_private(self._file, json.dumps(asdict(self.record)))

    @property
    def pid(self) -> int:
        """The process's pid. Raises ``RuntimeError`` before the first start."""
        if self.record is None:
            raise RuntimeError(f"{self.name} was not started")
        return self.record.pid

    def running(self) -> bool:
        """Whether it runs; also records its end."""
        if self._child is not None:
            if self._child.poll() is None:
                return True
            self._child = None
        return self.record is not None and self.record.alive()

    def frozen(self) -> bool:
        return self.record is not None and frozen(self.record)

    def stop(self, seconds: float = 20.0, by: signal.Signals | None = None) -> None:
        """Stop it: thaw, the shutdown signal or ``by``, and SIGKILL after ``seconds``."""
        if self.record is not None:
            end(self.record, by or self._gentle, seconds)
        if self._child is not None:
            self._child.wait()
            self._child = None
        self.record = None
        if self._file is not None:
            self._file.unlink(missing_ok=True)

    def last_words(self, lines: int = 3) -> str:
        """The end of its log, for the error when it did not start."""
        try:
            text = self.log.read_text("utf-8", errors="replace")
        except OSError:
            return ""
        return " | ".join(text.strip().splitlines()[-lines:])


def end(record: Record, gentle: signal.Signals, seconds: float) -> None:
    """End a recorded server and all its children, whatever its state."""
    if not record.alive():
        return
    family = tree(record.pid)
    send(reversed(family), signal.SIGCONT)
    send([record.pid], gentle)
    if not wait_until(lambda: not record.alive(), seconds):
        send(tree(record.pid), signal.SIGKILL)
        wait_until(lambda: not record.alive(), 5.0)


def sweep(records: Path, folders: Sequence[Path]) -> list[str]:
    """End what a killed demo left running; returns the names of what was ended.

    Records whose pid now belongs to another process are only deleted.
    """
    found = []
    for file in sorted(records.glob("*.json")):
        try:
            found.append(Record(**json.loads(file.read_text("utf-8"))))
        except (OSError, ValueError, TypeError):
            continue  # half written: the working directory still identifies the process
        finally:
            file.unlink(missing_ok=True)
    alive = [record for record in found if record.alive()]
    for record in alive:
        thaw(record)  # all of them first: a primary waits for its frozen replica
    for record in alive:
        send([record.pid], signal.SIGINT if record.program == "postgres" else signal.SIGTERM)
    wait_until(lambda: not any(record.alive() for record in alive), 20.0)
    for record in alive:
        if record.alive():
            send(tree(record.pid), signal.SIGKILL)
    ended = [record.name for record in alive]
    left = living_in(folders)
    if left:
        send(left, signal.SIGCONT)
        send(left, signal.SIGKILL)
        wait_until(lambda: not living_in(folders), 5.0)
        ended.append(f"{len(left)} orphans")
    return ended
