"""Errors of the command line: one clear sentence, an exit code, nothing lost.

Each case uses the real command, a real file, a real server.
"""

from __future__ import annotations

import socket
import sqlite3
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from probes import Address, Secret, Target
from tests.acceptance.office import PASSWORD, Office, add_people, one_sentence, said
from tests.probes.host.places import mounted
from tests.servers import postgresql
from tests.support.agent import running, sigap, target_lines, write_config
from tests.support.builders import a_target
from tests.support.wait import until

pytestmark = pytest.mark.processes

DOWN = target_lines(a_target("mati", address=Address("127.0.0.1", 1, "sigap")))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_config(tmp_path, [DOWN])
    return tmp_path


def changed(folder: Path, old: str, new: str) -> None:
    file = folder / "agent.yaml"
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new, 1))


CONFIGURATIONS = [
    ("an unknown key", "interval", "intervall", "did you mean 'interval'?", 2),
    ("an unknown probe", "    url", "    probes: {volume: {}}\n    url", "'volumes'", 2),
    ("an unknown engine", "engine: postgresql", "engine: postgres", "'postgresql'", 2),
    ("a missing password file", "    url", "    password_file: ada\n    url", "mode 0600", 2),
    ("a store of no kind", "sqlite:///", "redis://", "must begin with sqlite:///", 2),
    ("a store in no folder", "sqlite:///sigap", "sqlite:///tiada/sigap", "tiada", 1),
    ("a procedure that is not there", "store:", "procedure: tiada.yaml\nstore:", "tiada.yaml", 1),
    ("a file that is no YAML", "targets:", "targets: [", "agent.yaml", 2),
]


@pytest.mark.parametrize(
    ("old", "new", "says", "code"),
    [each[1:] for each in CONFIGURATIONS],
    ids=[each[0] for each in CONFIGURATIONS],
)
def test_a_mistake_in_the_configuration_ends_the_start(
    folder: Path, old: str, new: str, says: str, code: int
) -> None:
    changed(folder, old, new)
    assert says in one_sentence(sigap("run", folder=folder), code)


COMMANDS = [
    ("a missing file", "run -c tiada.yaml", "", "does not exist; name the file", 2),
    ("an unknown target", "try simpeg", "", "dikenal di sini: mati", 3),
    ("an unknown probe", "try mati availabilty", "", "maksud Anda 'availability'?", 3),
    ("an unknown engine", "grants oracle", "", ": mariadb, mysql, pgbouncer, postgresql", 1),
    ("said in English", "grants oracle --lang en", "", "no engine 'oracle'; known here:", 1),
    ("a person twice", "people add budi --name B", PASSWORD, "budi sudah ada", 1),
    ("a short password", "people add cici --name C", "abc", "paling sedikit", 1),
    ("a password that is the name", "people add cicicici --name C", "cicicici", "", 1),
    ("no password", "people add cici --name C", "", "tidak ada kata sandi pada", 1),
    ("a wrong password", "incidents open --title x --as budi", "salah", "tidak cocok", 1),
    ("an unknown person", "people assign tiada PP", "", "tiada", 1),
    ("an unknown role", "people assign budi XX", "", "XX", 1),
    ("an unknown incident", "incidents show GDB-1999-0001", "", "GDB-1999-0001", 1),
    ("a form that is no JSON", "incidents sign X --form { --as budi", PASSWORD, "JSON", 1),
    (
        "a form that is not there",
        "incidents sign X --form @f --as budi",
        PASSWORD,
        "tidak dapat dibaca",
        1,
    ),
    ("a bundle that is not there", "verify tiada.jsonl", "", "buat dengan 'sigap export", 1),
]


@pytest.fixture(scope="module")
def peopled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("peopled")
    write_config(folder, [DOWN])
    add_people(folder, "budi")
    return folder


@pytest.mark.parametrize(
    ("words", "stdin", "says", "code"),
    [each[1:] for each in COMMANDS],
    ids=[each[0] for each in COMMANDS],
)
def test_a_mistake_in_a_command_changes_nothing(
    peopled: Path, words: str, stdin: str, says: str, code: int
) -> None:
    before = kept(peopled)
    done = sigap(*words.split(), folder=peopled, stdin=stdin)
    assert says in one_sentence(done, code)
    assert kept(peopled) == before


def kept(folder: Path) -> list[tuple[object, ...]]:
    """Accounts, roles and events in the store."""
    store = sqlite3.connect(f"file:{folder / 'sigap.db'}?mode=ro", uri=True)
    try:
        asked = (
            "select username, password from people",
            "select username, role from assignments",
            "select sequence, hash from events",
        )
        return [tuple(row) for query in asked for row in store.execute(query + " order by 1, 2")]
    finally:
        store.close()


def test_a_port_already_taken_is_named(folder: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        changed(folder, "127.0.0.1:0", f"127.0.0.1:{port}")
        assert f"port {port} on 127.0.0.1 is in use" in one_sentence(sigap("run", folder=folder))


@pytest.fixture(scope="module")
def server() -> Iterator[postgresql.Server]:
    with postgresql.single() as running_server:
        yield running_server


def tried(folder: Path, target: Target, probe: str) -> tuple[int, str]:
    """Exit code and first line of ``sigap try``."""
    write_config(folder, [target_lines(target)])
    done = sigap("try", target.name, probe, folder=folder)
    assert done.stderr == "" and "Traceback" not in done.stdout
    return done.returncode, done.stdout.splitlines()[0]


def test_an_unreachable_server_is_critical_and_says_what_to_look_at(folder: Path) -> None:
    code, line = tried(
        folder, a_target("mati", address=Address("127.0.0.1", 1, "s")), "availability"
    )
    assert code == 2
    assert line.startswith("SIGAP CRITICAL - mati menolak sambungan.")
    assert "Periksa layanannya" in line


@pytest.mark.servers
def test_a_wrong_password_is_critical_and_is_never_shown(
    server: postgresql.Server, folder: Path
) -> None:
    good = server.target("simpeg")
    wrong = replace(good, address=replace(good.address, password=Secret("rahasia-keliru")))
    code, line = tried(folder, wrong, "availability")
    assert code == 2
    assert line.startswith("SIGAP CRITICAL - ") and "menolak akun" in line
    assert "rahasia-keliru" not in line
    whole = sigap("try", "simpeg", folder=folder)
    assert whole.returncode == 2
    said = whole.stdout.splitlines()[1:]
    assert sum("menolak akun" in line for line in said) == 1
    assert sum("UNKNOWN" in line for line in said) <= 2  # volumes, and how many could not ask
    assert "pemeriksaan lain tidak dapat bertanya" in said[-1]


@pytest.mark.servers
def test_an_account_without_rights_is_blind_and_is_told_the_grant(
    server: postgresql.Server, folder: Path
) -> None:
    blind = server.target("buta", user=postgresql.NO_RIGHTS)
    code, line = tried(folder, blind, "blocked_sessions")
    assert code == 3
    assert line.startswith("SIGAP UNKNOWN - ")
    assert f"GRANT pg_monitor TO {postgresql.NO_RIGHTS}" in line


OPEN = ("incidents", "open", "--title", "SIMPEG lambat", "--as", "budi")


def test_a_changed_byte_in_the_ledger_is_found_and_its_sequence_named(folder: Path) -> None:
    add_people(folder, "budi")
    for _ in range(3):
        said(sigap(*OPEN, folder=folder, stdin=PASSWORD))
    assert "is whole: 3 events" in said(sigap("verify", "--lang", "en", folder=folder))
    store = sqlite3.connect(folder / "sigap.db")
    (body,) = store.execute("select body from events where sequence = 2").fetchone()
    at = body.index(b"lambat")
    store.execute(
        "update events set body = ? where sequence = 2", (body[:at] + b"L" + body[at + 1 :],)
    )
    store.commit()
    store.close()
    assert "nomor 2" in one_sentence(sigap("verify", folder=folder))


@pytest.fixture
def volume(tmp_path: Path) -> Iterator[Path]:
    """A small volume of its own, with a store and people on it, and the folder of agent.yaml."""
    with mounted(tmp_path / "vol", "-t", "tmpfs", "-o", "size=3m", "sigap-test") as small:
        write_config(tmp_path, [DOWN], store="sqlite:///vol/sigap.db")
        add_people(tmp_path, "budi")
        yield small


@pytest.mark.root
def test_a_full_store_is_said_and_takes_everything_once_there_is_room(volume: Path) -> None:
    folder = volume.parent
    with running(folder / "agent.yaml") as agent:
        office = Office(agent)
        until("the incident of the target", agent.incidents)
        filler = volume / "filler"
        _fill(filler)
        sentence = one_sentence(sigap(*OPEN, folder=folder, stdin=PASSWORD))
        assert "penuh" in sentence or "full" in sentence
        status, told = office.api("POST", "/incidents", {"title": "Penuh"})
        assert (status, told["error"]["code"]) == (503, "store_unavailable")
        assert "penuh; kosongkan ruang" in told["error"]["message_id"]
        until("rounds going on", lambda: agent.metric('sigap_target_up{target="mati"'))
        filler.unlink()
        assert office.report("Ada ruang lagi")
        assert "Traceback" not in agent.log
    listed = said(sigap("incidents", "list", folder=folder))
    assert "Ada ruang lagi" in listed and "Penuh" not in listed
    assert "is whole" in said(sigap("verify", "--lang", "en", folder=folder))


def _fill(filler: Path) -> None:
    """Take every block there is."""
    with filler.open("wb", buffering=0) as file:
        for size in (65536, 4096, 512, 1):
            try:
                while file.write(b"x" * size):
                    pass
            except OSError:
                continue


@pytest.mark.root
def test_a_read_only_store_is_said_and_takes_everything_once_it_is_not(volume: Path) -> None:
    folder = volume.parent
    said(sigap(*OPEN, folder=folder, stdin=PASSWORD))
    subprocess.run(["mount", "-o", "remount,ro", str(volume)], check=True)
    for words in (OPEN, ("people", "add", "cici", "--name", "C")):
        sentence = one_sentence(sigap(*words, folder=folder, stdin=PASSWORD))
        assert "hanya dapat dibaca; beri hak tulis" in sentence or "is read-only; give" in sentence
    subprocess.run(["mount", "-o", "remount,rw", str(volume)], check=True)
    assert "is whole: 1 events" in said(sigap("verify", "--lang", "en", folder=folder))
    said(sigap(*OPEN, folder=folder, stdin=PASSWORD))
