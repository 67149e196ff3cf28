"""``sigap demo`` as a command: start and hold the world, or speak with the one that runs.

Promise: whatever ends the demo (Ctrl-C, SIGTERM, a closed terminal, an error) ends its servers
too; what could not be done is one sentence on standard error.
"""

from __future__ import annotations

import argparse
import logging
import os
import shlex
import signal
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any, NoReturn

from agent.demo import control, volume
from agent.demo.errors import DemoError
from agent.demo.faults import FAULTS, Faults
from agent.demo.home import Home, default_home
from agent.demo.world import World
from probes import Text

DEFAULT_PORT = 9480


def run(argv: Sequence[str]) -> int:
    """Do what the words after ``sigap demo`` say; returns the exit code."""
    options = _parser().parse_args(argv)
    language = getattr(options, "lang", "") or _language(os.environ)
    home = Home(getattr(options, "dir", None) or default_home(os.environ, os.geteuid()))
    try:
        if options.action:
            return _speak(home, options, language)
        volume.enter_namespace(argv)
        return _hold(home, options)
    except DemoError as error:
        print(f"sigap demo: {error.reason.said_in(language)}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 0


def _parser() -> argparse.ArgumentParser:
    shared = argparse.ArgumentParser(add_help=False)
    shared.add_argument(
        "--dir",
        type=Path,
        default=argparse.SUPPRESS,
        metavar="DIR",
        help="the demo's folder (default: SIGAP_DEMO_DIR, else the user's state folder)",
    )
    shared.add_argument(
        "--lang", choices=("id", "en"), default=argparse.SUPPRESS, help="language of the answers"
    )
    parser = argparse.ArgumentParser(
        prog="sigap demo",
        parents=[shared],
        description="Start a small real world to watch: PostgreSQL and MariaDB pairs, the agent, "
        "the desk and its pages. Ctrl-C ends all of it.",
        epilog="Faults: " + "; ".join(f"{f.name}: {f.title.en}" for f in FAULTS.values()),
    )
    parser.set_defaults(action="")
    parser.add_argument(
        "--port", type=int, default=None, help=f"port of the pages (default {DEFAULT_PORT})"
    )
    parser.add_argument("--no-mariadb", action="store_true", help="PostgreSQL alone")
    parser.add_argument(
        "--fresh", action="store_true", help="forget the last demo: new servers, store, people"
    )
    parser.add_argument(
        "--servers-only", action="store_true", help="the servers without agent, desk and pages"
    )
    actions = parser.add_subparsers(title="to a running demo", metavar="ACTION")
    for name, words in (
        ("break", "break something for real"),
        ("heal", "undo a fault, wherever it stands or on --target"),
    ):
        action = actions.add_parser(name, parents=[shared], help=words, description=words)
        action.add_argument("fault", nargs="?", default="", help=", ".join(FAULTS))
        action.add_argument("--target", default="", help="which server; see `sigap demo status`")
        action.set_defaults(action=name)
    for name, words in (
        ("status", "servers, faults and where they stand"),
        ("stop", "end the running demo, or what a killed one left behind"),
    ):
        action = actions.add_parser(name, parents=[shared], help=words, description=words)
        action.set_defaults(action=name)
    return parser


def _language(environment: Mapping[str, str]) -> str:
    locale = environment.get("LC_ALL") or environment.get("LANG") or ""
    return "en" if locale.startswith("en") else "id"


# -- the other terminal --------------------------------------------------------------------------


def _speak(home: Home, options: argparse.Namespace, language: str) -> int:
    if options.action == "stop":
        return _stop(home, language)
    if options.action in {"break", "heal"} and options.fault not in FAULTS:
        from agent.demo.faults import find  # says which names there are

        find(options.fault)
    answer = control.ask(
        home.control,
        {
            "do": options.action,
            "fault": getattr(options, "fault", ""),
            "target": getattr(options, "target", ""),
        },
    )
    if options.action == "status":
        _print_status(answer, language)
    else:
        print(answer[language])
    return 0


def _print_status(answer: Mapping[str, Any], language: str) -> None:
    standing = Text("terganggu", "broken").said_in(language)
    fine = Text("tidak terjadi", "does not stand").said_in(language)
    possible = Text("dapat dibuat pada", "can be had on").said_in(language)
    if answer["address"]:
        print(answer["address"])
    for name, fault in answer["faults"].items():
        state = f"{standing}: {', '.join(fault['stands'])}" if fault["stands"] else fine
        print(f"{name:<12} {state:<38} {possible} {', '.join(fault['targets']) or '-'}")


def _stop(home: Home, language: str) -> int:
    """End a running demo and wait for it; clean up after one that was killed."""
    from agent.demo.process import wait_until

    try:
        answer = control.ask(home.control, {"do": "stop"})
    except DemoError:
        if not home.path.is_dir():
            raise
        home.make()
        home.lock()
        world = World(home, with_mariadb=False)
        world.stop()
        print(Text("Tidak ada lagi yang berjalan.", "Nothing runs any more.").said_in(language))
        return 0
    pid = int(answer["pid"])
    if not wait_until(lambda: not os.path.exists(f"/proc/{pid}"), 60.0):
        raise DemoError(
            Text(
                f"Demo (pid {pid}) belum berhenti; lihat terminalnya.",
                f"The demo (pid {pid}) has not ended; see its terminal.",
            )
        )
    print(Text("Demo dihentikan.", "The demo has ended.").said_in(language))
    return 0


# -- the demo itself -----------------------------------------------------------------------------


@contextmanager
def _signals() -> Iterator[None]:
    """SIGTERM and SIGHUP interrupt like Ctrl-C; when it is time to end, nothing interrupts."""

    def interrupt(number: int, frame: FrameType | None) -> NoReturn:
        raise KeyboardInterrupt

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, interrupt)
    try:
        yield
    finally:
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)


def _hold(home: Home, options: argparse.Namespace) -> int:
    """Start the world and hold it until somebody ends it."""
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(name)s: %(message)s")
    home.make()
    home.lock()
    world = World(home, with_mariadb=not options.no_mariadb)
    ending = threading.Event()
    try:
        with _signals():
            print("Menyiapkan server … / preparing servers …", file=sys.stderr, flush=True)
            world.start(fresh=options.fresh)
            _run(world, Faults(world), options, ending)
    finally:
        world.stop()
        home.unlock()
    return 0


def _run(
    world: World, faults: Faults, options: argparse.Namespace, ending: threading.Event
) -> None:
    from agent.demo.banner import banner

    usual = Home(default_home({}, os.geteuid())).path == world.home.path
    words = "" if usual else f" --dir {shlex.quote(str(world.home.path))}"
    address = ""
    passwords: dict[str, str] = {}
    listener = control.Control(
        world.home.control, lambda request: _answer(faults, request, address, ending)
    )
    listener.start()
    try:
        print(banner(world, faults, address, passwords, words), flush=True)
        while not ending.wait(3600):
            pass
    finally:
        listener.stop()


def _answer(
    faults: Faults, request: Mapping[str, Any], address: str, ending: threading.Event
) -> dict[str, Any]:
    """What a second terminal asked, done."""
    do, name, target = (str(request.get(key, "")) for key in ("do", "fault", "target"))
    if do == "break":
        said = faults.break_it(name, target)
    elif do == "heal":
        said = faults.heal(name, target)
    elif do == "status":
        standing = faults.status()
        return {
            "address": address,
            "pid": os.getpid(),
            "faults": {
                each: {"stands": standing[each], "targets": faults.targets(fault)}
                for each, fault in FAULTS.items()
            },
        }
    elif do == "stop":
        ending.set()
        return {"pid": os.getpid()}
    else:
        raise DemoError(Text(f"Tidak mengenal {do!r}.", f"{do!r} is not known."))
    return {"id": said.id, "en": said.en}
