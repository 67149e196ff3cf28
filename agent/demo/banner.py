"""What a person reads when the demo is up: address, accounts, servers, and what to try.

Promise: both languages, fewer than forty lines; a password is in here only when it was made up in
this very start.
"""

from __future__ import annotations

import os
import shlex
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path

from agent.demo.faults import FAULTS, Faults
from agent.demo.people import STAFF
from agent.demo.world import World


def program() -> str:
    """How this person starts ``sigap``, for lines they can copy."""
    beside = Path(sys.executable).with_name("sigap")
    if shutil.which("sigap") is not None or not beside.exists():
        return "sigap"
    relative = os.path.relpath(beside)
    return shlex.quote(relative if len(relative) < len(str(beside)) else str(beside))


def banner(
    world: World, faults: Faults, address: str, passwords: Mapping[str, str], words: str
) -> str:
    """The whole block; ``words`` is what follows ``sigap demo`` to find this folder again."""
    sigap = program()
    demo = f"{sigap} demo{words}"
    lines = ["", f"Sigap demo: {address}" if address else "Sigap demo: server saja / servers only"]
    for note in world.notes:
        lines += [f"  ! {note.id}", f"    {note.en}"]
    lines += ["", "Server / servers"]
    for name, server in world.servers.items():
        engine = "PostgreSQL" if server.engine == "postgresql" else "MariaDB"
        lines.append(f"  {name:<16} {engine:<10} 127.0.0.1:{server.port}")
    if address:
        lines += ["", *_accounts(passwords, world, sigap)]
    names = " | ".join(name for name in FAULTS if faults.targets(FAULTS[name]))
    lines += [
        "",
        "Coba dari terminal lain / try from a second terminal",
        f"  {demo} break {names}",
        f"  {demo} heal NAME        {demo} status",
    ]
    if address:
        lines.append(f"  atau dari halaman / or on the page: {address}/demo")
    lines += [
        "",
        f"Folder: {world.home.path}    agent.yaml, log/, data/",
        "Ctrl-C menghentikan semuanya / ends everything.",
        "",
    ]
    return "\n".join(lines)


def _accounts(passwords: Mapping[str, str], world: World, sigap: str) -> list[str]:
    lines = ["Akun / accounts"]
    for role, person in STAFF:
        secret = passwords.get(person.username, "")
        lines.append(f"  {role}  {person.username:<11} {secret:<15} {person.position}".rstrip())
    if passwords:
        lines.append("  Kata sandi hanya ditampilkan kali ini / passwords are shown this once.")
    else:
        reset = f"{sigap} people passwd NAME -c {shlex.quote(str(world.home.config))}"
        lines.append(f"  Kata sandi seperti semula; ganti / as before; reset: {reset}")
    return lines
