"""``sigap demo``: starts the demo, or sends a command to the running one.

An error is one sentence on standard error, with the next move.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from agent.demo import control
from agent.demo.errors import DemoError
from agent.demo.home import Home, default_home
from agent.demo.scene import volume
from agent.demo.scene.faults import FAULTS, find
from agent.demo.scene.world import World
from agent.demo.servers.process import wait_until
from probes import Text
from probes.i18n import INDONESIAN, languages

ENDS_SECONDS = 60.0


def run(argv: Sequence[str]) -> int:
    """Run ``sigap demo`` with these arguments; returns the exit code."""
    options = _parser().parse_args(argv)
    home = Home(getattr(options, "dir", None) or default_home(os.environ, os.geteuid()))
    language = getattr(options, "lang", "")
    if not language and options.action:
        from agent.demo.settings import language_of  # reads YAML, only for a second terminal

        language = language_of(home.config)
    language = language or _language(os.environ)
    try:
        if options.action:
            return _speak(home, options, language)
        volume.enter_namespace(argv)
        from agent.demo.supervisor import hold  # the desk's libraries, only where they are needed

        return hold(home, options)
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
        "--lang",
        choices=languages(),
        default=argparse.SUPPRESS,
        help="language of what is printed here and by a second terminal",
    )
    parser = argparse.ArgumentParser(
        prog="sigap demo",
        parents=[shared],
        description="Start a small real world to watch: PostgreSQL and MariaDB pairs, the agent, "
        "the desk and its pages. Ctrl-C ends all of it; the folder stays for the next start.",
        epilog="Faults: " + "; ".join(f"{f.name}: {f.title.en}" for f in FAULTS.values()),
    )
    parser.set_defaults(action="")
    parser.add_argument(
        "--port", type=int, default=None, help="port of the pages (default 9480, or a free one)"
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
    code = locale[:2].lower()
    return code if code in languages() else INDONESIAN


# -- the other terminal --------------------------------------------------------------------------


def _speak(home: Home, options: argparse.Namespace, language: str) -> int:
    if options.action == "stop":
        return _stop(home, language)
    if options.action in {"break", "heal"} and options.fault not in FAULTS:
        find(options.fault)  # raises with the known names
    answer = _ask(
        home,
        {
            "do": options.action,
            "fault": getattr(options, "fault", ""),
            "target": getattr(options, "target", ""),
        },
    )
    language = getattr(options, "lang", "") or answer["lang"] or language
    if options.action == "status":
        _print_status(answer, language)
    else:
        print(Text.written(answer).said_in(language))
    return 0


def _print_status(answer: Mapping[str, Any], language: str) -> None:
    standing = Text("broken").said_in(language)
    fine = Text("does not stand").said_in(language)
    possible = Text("can be had on").said_in(language)
    if answer["address"]:
        print(answer["address"])
    for name, fault in answer["faults"].items():
        state = f"{standing}: {', '.join(fault['stands'])}" if fault["stands"] else fine
        print(f"{name:<12} {state:<38} {possible} {', '.join(fault['targets']) or '-'}")


def _stop(home: Home, language: str) -> int:
    """End a running demo and wait for it; clean up after one that was killed."""
    try:
        answer = _ask(home, {"do": "stop"})
    except DemoError:
        if not home.path.is_dir() or not _free(home):
            raise
        home.make()
        home.lock()
        world = World(home, with_mariadb=False)
        world.stop()
        print(Text("Nothing runs any more.").said_in(language))
        print(home.what_stays().said_in(language))
        return 0
    if not wait_until(lambda: _free(home), ENDS_SECONDS):
        raise DemoError(
            Text("The demo (pid {pid}) has not ended; see its terminal.", pid=answer["pid"])
        )
    print(Text("The demo has ended.").said_in(language))
    print(home.what_stays().said_in(language))
    return 0


def _ask(home: Home, request: Mapping[str, Any]) -> dict[str, Any]:
    """Send a request to the running demo; one that is still starting is distinguished from none."""
    try:
        return control.ask(home.control, request)
    except DemoError:
        if not home.path.is_dir() or home.control.exists() or _free(home):
            raise
    raise DemoError(
        Text(
            "The demo in {path} is still starting or just ending; try again in a moment.",
            path=home.path,
        )
    )


def _free(home: Home) -> bool:
    """Whether the folder is not locked any more."""
    try:
        home.lock()
    except DemoError:
        return False
    home.unlock()
    return True
