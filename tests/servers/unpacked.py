"""Servers of other Debian suites or of a wheel, unpacked into a folder and never installed.

apt downloads and verifies the packages from the machine's own mirror into a cache folder, nothing
of the system changes, and the programs run with their own loader and libraries. A suite that moved
on, or a machine without a mirror, raises ``Unavailable`` with one sentence.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

LOADER = "ld-linux-x86-64.so.2"
# before Debian 12 the C library lay outside of /usr
LIBRARIES = ("usr/lib/x86_64-linux-gnu", "lib/x86_64-linux-gnu")
KEYS = "/usr/share/keyrings/debian-archive-keyring.gpg"
NEEDED = ("apt-get", "dpkg-deb", "patchelf")


class Unavailable(Exception):
    """These packages cannot be had here, and why."""


def cache() -> Path:
    """Where unpacked suites are kept between runs: an ordinary user must be able to enter it."""
    folder = Path(tempfile.gettempdir()) / f"sigap-servers-{os.getuid()}"
    folder.mkdir(mode=0o755, exist_ok=True)
    if folder.stat().st_uid != os.getuid():
        raise Unavailable(f"{folder} belongs to somebody else; remove it")
    return folder


def root(suite: str, packages: Sequence[str], programs: Sequence[str], libraries: str = "") -> Path:
    """The folder that holds ``packages`` of ``suite``, all they depend on, and runs.

    ``programs`` (paths below the root) are pointed at their own loader; ``libraries`` is a
    further folder they load from. Raises ``Unavailable``.
    """
    named = hashlib.sha256(" ".join(packages).encode()).hexdigest()[:8]
    with _alone(f"{suite}-{packages[0]}-{named}") as kept:
        if not (kept / "ready").exists():
            _unpack(kept, suite, packages)
        for program in programs:  # also those asked for since it was unpacked
            _relink(kept / "root", program, libraries)
        return kept / "root"


def wheels(locked: Path) -> Path:
    """The folder with the unpacked wheels of a lock file, hashes checked. Raises ``Unavailable``.

    Their programs were built to run anywhere, so nothing is relinked.
    """
    named = hashlib.sha256(locked.read_bytes()).hexdigest()[:8]
    with _alone(f"{locked.stem}-{named}") as kept:
        if not (kept / "ready").exists():
            shutil.rmtree(kept, ignore_errors=True)
            _run(
                sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--require-hashes",
                "--only-binary", ":all:", "--target", str(kept / "root"), "-r", str(locked),
            )  # fmt: skip
            (kept / "ready").touch()
        return kept / "root"


@contextmanager
def _alone(name: str) -> Iterator[Path]:
    """The cache's folder of that name, for one test worker at a time: it is fetched once."""
    with (cache() / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield cache() / name


def _unpack(kept: Path, suite: str, packages: Sequence[str]) -> None:
    for program in NEEDED:
        if shutil.which(program) is None:
            raise Unavailable(f"{program} is not installed; as root: apt-get install {program}")
    shutil.rmtree(kept, ignore_errors=True)
    fetched = _fetched(kept, suite, packages)
    for package in fetched:
        _run("dpkg-deb", "-x", str(package), str(kept / "root"))
        package.unlink()
    (kept / "ready").touch()


def _fetched(kept: Path, suite: str, packages: Sequence[str]) -> list[Path]:
    """The packages' files, with everything they depend on (an empty status file sees to that)."""
    for folder in ("etc", "lists/partial", "cache/archives/partial", "state", "root"):
        (kept / folder).mkdir(parents=True)
    (kept / "state" / "status").touch()
    (kept / "etc" / "sources.list").write_text(f"{_mirror(suite)}\n", encoding="utf-8")
    asks = [
        "apt-get", "-q",
        "-o", f"Dir::Etc::sourcelist={kept}/etc/sources.list",
        "-o", "Dir::Etc::sourceparts=none",
        "-o", "Dir::Etc::preferencesparts=none",
        "-o", f"Dir::State::lists={kept}/lists",
        "-o", f"Dir::State::status={kept}/state/status",
        "-o", f"Dir::Cache={kept}/cache",
        "-o", "APT::Get::List-Cleanup=0",
        "-o", "APT::Sandbox::User=root",
        "-o", "Acquire::Retries=1",
        "-o", "Acquire::http::Timeout=20",
        "-o", "Binary::apt-get::APT::Keep-Downloaded-Packages=true",
        "-o", "APT::Keep-Downloaded-Packages=true",
        "-o", "DPkg::Post-Invoke=",
    ]  # fmt: skip
    _run(*asks, "update")
    _run(
        *asks, "install", "-y", "--no-install-recommends", "--download-only", *packages
    )  # fmt: skip
    found = sorted((kept / "cache" / "archives").glob("*.deb"))
    if not found:
        raise Unavailable(f"apt fetched none of {', '.join(packages)} from {suite}")
    return found


def _mirror(suite: str) -> str:
    """The machine's own Debian source, with the suite replaced."""
    said = _run(
        "apt-get", "indextargets", "--format", "$(REPO_URI)|$(RELEASE)",
        "Created-By: Packages",
    )  # fmt: skip
    for line in said.splitlines():
        address, release = line.split("|")
        if "-" not in release:  # not -security, -updates, -backports
            signed = f"[signed-by={KEYS}] " if Path(KEYS).exists() else ""
            return f"deb {signed}{address} {suite} main"
    raise Unavailable("this machine's apt has no Debian source to take another suite from")


def _relink(root: Path, program: str, libraries: str) -> None:
    """Point a program at its own loader; one that was is left alone, for it may be running."""
    paths = [str(root / each) for each in (*LIBRARIES, libraries) if each]
    loaders = (root / each / LOADER for each in LIBRARIES)
    loader = next((each.resolve() for each in loaders if each.exists()), None)
    if loader is None:
        raise Unavailable(f"the packages brought no {LOADER}; this is an x86-64 fixture")
    if _run("patchelf", "--print-interpreter", str(root / program)).strip() == str(loader):
        return
    _run(
        "patchelf", "--set-interpreter", str(loader), "--force-rpath",
        "--set-rpath", ":".join(paths), str(root / program),
    )  # fmt: skip


def _run(*command: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)
    if done.returncode:
        said = (done.stderr.strip() or done.stdout.strip()).splitlines()
        raise Unavailable(f"{command[0]} failed: {said[-1] if said else done.returncode}")
    return done.stdout
