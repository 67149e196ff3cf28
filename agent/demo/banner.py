"""The text printed when the demo is up: address, accounts, servers, and faults to try.

In the requested language, else in both; fewer than forty lines. A password is printed only in the
start that created it.
"""

from __future__ import annotations

import os
import shlex
import shutil
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

from agent.demo.home import Home, default_home
from agent.demo.people import STAFF
from agent.demo.scene.faults import FAULTS, Faults
from agent.demo.scene.world import World
from probes import Text


def program() -> str:
    """How this user starts ``sigap``, for lines to copy."""
    beside = Path(sys.executable).with_name("sigap")
    if shutil.which("sigap") is not None or not beside.exists():
        return "sigap"
    relative = os.path.relpath(beside)
    return shlex.quote(relative if len(relative) < len(str(beside)) else str(beside))


def command(home: Home) -> str:
    """``sigap demo`` as another terminal must write it for this folder."""
    usual = Home(default_home({}, os.geteuid())).path == home.path
    return f"{program()} demo" + ("" if usual else f" --dir {shlex.quote(str(home.path))}")


def in_words(words: Text, language: str) -> str:
    """In the language asked for, or in both when none was."""
    return words.said_in(language) if language else f"{words.id} / {words.en}"


def banner(
    world: World, faults: Faults, address: str, passwords: Mapping[str, str], language: str
) -> str:
    """The whole block, in one language or (``""``) in both."""

    def say(words: Text) -> str:
        return in_words(words, language)

    demo = command(world.home)
    lines = ["", f"Sigap demo: {address or say(Text('servers only'))}"]
    for note in world.ground.notes:
        said = [note.said_in(language)] if language else [note.id, note.en]
        lines += [f"  {mark} {words}" for mark, words in zip("! ", said, strict=False)]
    lines += ["", say(Text("Servers"))]
    for name, server in world.servers.items():
        engine = "PostgreSQL" if server.engine == "postgresql" else "MariaDB"
        lines.append(f"  {name:<16} {engine:<10} 127.0.0.1:{server.port}")
    if address:
        lines += ["", *_accounts(passwords, world, say)]
    ends = say(Text("ends everything; the folder stays"))
    names = " | ".join(name for name in FAULTS if faults.targets(FAULTS[name]))
    lines += [
        "",
        say(Text("Try from a second terminal")),
        f"  {demo} break {names}",
        f"  {demo} heal NAME        {demo} status",
    ]
    if address:
        lines.append(f"  {say(Text('or on the page'))}: {address}/demo")
    lines += [
        "",
        f"Folder: {world.home.path}    agent.yaml, log/, data/",
        f"Ctrl-C: {ends}.",
        "",
    ]
    return "\n".join(lines)


def _accounts(passwords: Mapping[str, str], world: World, say: Callable[[Text], str]) -> list[str]:
    lines = [say(Text("Accounts"))]
    for role, person in STAFF:
        secret = passwords.get(person.username, "")
        lines.append(f"  {role}  {person.username:<11} {secret:<15} {person.position}".rstrip())
    if passwords:
        once = say(Text("Passwords are shown this once"))
        lines.append(f"  {once}.")
    else:
        reset = f"{program()} people passwd NAME -c {shlex.quote(str(world.home.config))}"
        again = say(Text("Passwords are as before; reset"))
        lines.append(f"  {again}: {reset}")
    return lines
