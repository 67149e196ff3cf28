"""The command line: one sentence on standard error, the right exit code, never a traceback."""

from __future__ import annotations

import io
import json
import re
import subprocess
import sys
from collections.abc import Callable
from importlib import import_module
from pathlib import Path

import jsonschema
import pytest

from agent.cli import main
from agent.commands import probing
from tests.support.agent import ROOT, environment, write_config

NOBODY = "  - {name: simpeg, engine: postgresql, url: 'postgresql://sigap@127.0.0.1:1/postgres'}\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_config(tmp_path, [NOBODY])
    return tmp_path


Sigap = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def sigap(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Sigap:
    """Run one command inside this process, as a terminal-less shell in ``folder`` would."""

    def run(*words: str, folder: Path, stdin: str = "") -> subprocess.CompletedProcess[str]:
        monkeypatch.chdir(folder)
        monkeypatch.setattr("sys.stdin", io.StringIO(stdin))
        for name in ("SIGAP_CONFIG", "SIGAP_DEBUG"):
            monkeypatch.delenv(name, raising=False)
        capsys.readouterr()
        try:
            code = main(words)
        except SystemExit as leaving:  # argparse leaves by itself
            code = int(leaving.code or 0)
        said = capsys.readouterr()
        return subprocess.CompletedProcess(words, code, said.out, said.err)

    return run


def one_sentence(done: subprocess.CompletedProcess[str], code: int) -> str:
    assert done.returncode == code, done.stderr
    assert "Traceback" not in done.stderr
    (line,) = done.stderr.strip().splitlines()
    assert line.startswith("sigap: ")
    return line


SECRET = "kunci-Rumah-9"
COMMANDS = (
    ["run"], ["check-config"], ["schema"], ["version"], ["try"], ["probes"], ["grants"],
    ["people"], ["people", "add"], ["people", "list"], ["people", "assign"], ["people", "passwd"],
    ["incidents"], ["incidents", "list"], ["incidents", "show"], ["incidents", "open"],
    ["incidents", "sign"], ["verify"], ["export"],
)  # fmt: skip


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_every_command_answers_help(sigap: Sigap, tmp_path: Path, words: list[str]) -> None:
    done = sigap(*words, "--help", folder=tmp_path)
    assert done.returncode == 0
    assert done.stdout.startswith(f"usage: sigap {' '.join(words)}")


def test_help_loads_no_library_a_command_needs(tmp_path: Path) -> None:
    program = (
        "import sys\nfrom agent.cli import main\n"
        "try: main(['--help'])\nexcept SystemExit: pass\n"
        "heavy = {'pydantic', 'psycopg2', 'pymysql', 'sqlalchemy', 'prometheus_client', 'ruamel'}\n"
        "sys.exit(1 if heavy & set(sys.modules) else 0)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], env=environment(), capture_output=True, text=True,
        check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr


def test_check_config_names_every_problem_and_exits_2(sigap: Sigap, folder: Path) -> None:
    (folder / "agent.yaml").write_text("agnet: {}\ntargets:\n  - {name: a, engine: oracle}\n")
    done = sigap("check-config", folder=folder)
    assert done.returncode == 2
    for words in ("agent.yaml:1: agnet:", "agent.yaml:3: targets[0].engine:", "targets[0].url:"):
        assert words in done.stderr
    assert "Traceback" not in done.stderr


def test_a_good_configuration_is_said_to_be_good(sigap: Sigap, folder: Path) -> None:
    done = sigap("check-config", folder=folder)
    assert (done.returncode, done.stdout) == (0, "agent.yaml: good, 1 target\n")


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        ("procedure: kaltm\n", ("agent.yaml:", "procedure:", "did you mean 'kaltim'?")),
        ("calendar: kaltin\n", ("calendar:", "did you mean 'kaltim'?")),
        ("procedure: ours.yaml\n", ("procedure:", "ours.yaml", "cannot be read")),
        ("calendar: torn.yaml\n", ("calendar:", "torn.yaml")),
    ],
)
def test_check_config_finds_what_the_desk_could_not_open(
    sigap: Sigap, folder: Path, lines: str, said: tuple[str, ...]
) -> None:
    (folder / "torn.yaml").write_text("name: [")
    good = (folder / "agent.yaml").read_text()
    (folder / "agent.yaml").write_text(good + lines)
    sentence = sigap("check-config", folder=folder)
    assert sentence.returncode == 2
    assert "Traceback" not in sentence.stderr
    for words in said:
        assert words in sentence.stderr


def test_check_config_finds_a_store_without_its_folder(sigap: Sigap, folder: Path) -> None:
    text = (folder / "agent.yaml").read_text()
    (folder / "agent.yaml").write_text(text.replace("sqlite:///sigap.db", "sqlite:///no/sigap.db"))
    assert "no does not exist; make it" in one_sentence(sigap("check-config", folder=folder), 2)


def test_check_config_finds_a_store_that_is_none(sigap: Sigap, folder: Path) -> None:
    (folder / "sigap.db").write_bytes(b"this is a letter, not a database" * 100)
    said = one_sentence(sigap("check-config", folder=folder), 2)
    assert "damaged or no Sigap store" in said


def test_the_pages_address_is_a_web_address(sigap: Sigap, folder: Path) -> None:
    text = (folder / "agent.yaml").read_text()
    (folder / "agent.yaml").write_text(text.replace("agent: {", "agent: {public_url: sigap.id, "))
    assert "must begin with https://" in one_sentence(sigap("check-config", folder=folder), 2)


@pytest.mark.parametrize("words", [["check-config"], ["run"], ["people", "list"], ["verify"]])
def test_a_missing_configuration_is_one_sentence(
    sigap: Sigap, tmp_path: Path, words: list[str]
) -> None:
    assert "agent.yaml" in one_sentence(sigap(*words, "-c", "agent.yaml", folder=tmp_path), 2)


@pytest.mark.parametrize("words", [["check-config"], ["people", "list"], ["incidents", "list"]])
def test_with_no_configuration_both_places_are_named(
    sigap: Sigap, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: list[str]
) -> None:
    # Not the real place, for this machine may have one of its own. A name so long is refused when
    # it is looked up, as a folder is that only root may enter.
    elsewhere = str(tmp_path / ("x" * 300) / "agent.yaml")
    places = ("agent.yaml", elsewhere)
    monkeypatch.setattr(import_module("agent.config.load"), "PLACES", places)
    said = one_sentence(sigap(*words, folder=tmp_path), 2)
    assert "agent.yaml: is not in this folder" in said
    assert elsewhere in said


@pytest.mark.parametrize(
    ("words", "meant"),
    [(["tyr"], "try"), (["people", "asign"], "assign"), (["incident", "list"], "incidents")],
)
def test_a_misspelt_command_names_the_nearest(
    sigap: Sigap, tmp_path: Path, words: list[str], meant: str
) -> None:
    assert f"did you mean '{meant}'?" in one_sentence(sigap(*words, folder=tmp_path), 2)


def test_try_speaks_nagios(sigap: Sigap, folder: Path) -> None:
    down = sigap("try", "simpeg", "availability", folder=folder)
    assert down.returncode == 2
    assert down.stdout.startswith("SIGAP CRITICAL - ")
    blind = sigap("try", "simpeg", "blocked_sessions", folder=folder)
    assert blind.returncode == 3
    assert blind.stdout.startswith("SIGAP UNKNOWN - ")
    assert "maksud Anda 'simpeg'?" in one_sentence(sigap("try", "simpg", folder=folder), 3)
    english = sigap("try", "simpeg", "lag", "--lang", "en", folder=folder)
    assert "no probe 'lag'" in one_sentence(english, 3)
    assert sigap("try", "simpeg", "-c", "none.yaml", folder=folder).returncode == 3


@pytest.mark.parametrize(("engine", "scheme"), [("postgresql", "postgresql"), ("mysql", "mysql")])
def test_try_says_a_failed_connection_once_and_then_what_needs_no_session(
    sigap: Sigap, tmp_path: Path, engine: str, scheme: str
) -> None:
    url = f"{scheme}://sigap@127.0.0.1:1/"
    write_config(tmp_path, [f"  - {{name: simpeg, engine: {engine}, url: '{url}'}}\n"])
    told = sigap("try", "simpeg", "--lang", "en", folder=tmp_path)
    assert told.returncode == 2
    first, *lines = told.stdout.splitlines()
    assert first.startswith("SIGAP CRITICAL - simpeg refuses connections")
    assert sum("refuse" in line for line in lines) == 1
    assert any(" memory: " in line for line in lines)
    whole = json.loads(sigap("try", "simpeg", "--json", folder=tmp_path).stdout)["probes"]
    refused = [each for each in whole if each["failure"] and each["failure"]["kind"] == "refused"]
    assert len(refused) > 20
    assert f"{len(refused) - 1} more probes could not ask" in lines[-1]
    (volumes,) = (line for line in lines if " volumes: " in line)
    assert ("pg_monitor" in volumes) == (engine == "postgresql")


def test_commands_speak_the_language_asked_for(sigap: Sigap, folder: Path) -> None:
    english = sigap("try", "simpeg", "availability", "--lang", "en", folder=folder).stdout
    assert "simpeg refuses connections" in english
    indonesian = sigap("try", "simpeg", "availability", "--lang", "id", folder=folder).stdout
    assert "simpeg menolak sambungan" in indonesian
    for lang, head in (("id", "NOMOR"), ("en", "NUMBER")):
        assert sigap("incidents", "list", "--lang", lang, folder=folder).stdout.startswith(head)
    refused = sigap("incidents", "list", "--lang", "fr", folder=folder)
    assert refused.returncode == 2


@pytest.mark.parametrize(
    ("count", "language", "said"),
    [
        (1, "en", "1 probe, all clear"),
        (7, "en", "7 probes, all clear"),
        (1, "id", "1 pemeriksaan, baik"),
        (7, "id", "7 pemeriksaan, semuanya baik"),
    ],
)
def test_one_probe_is_not_said_in_the_plural(count: int, language: str, said: str) -> None:
    assert probing.all_clear(count, language) == said


def test_try_prints_json(sigap: Sigap, folder: Path) -> None:
    done = sigap("try", "simpeg", "--json", folder=folder)
    said = json.loads(done.stdout)
    assert (done.returncode, said["target"], said["status"]) == (2, "simpeg", "CRITICAL")
    assert said["probes"][0]["failure"]["kind"] == "refused"


def test_probes_are_listed_with_their_limits(sigap: Sigap, tmp_path: Path) -> None:
    listed = json.loads(sigap("probes", "--json", folder=tmp_path).stdout)
    names = {(each["engine"], each["probe"]) for each in listed}
    assert {("postgresql", "availability"), ("mysql", "replication_lag")} <= names
    assert "blocked_seconds" in sigap("probes", folder=tmp_path).stdout
    assert {"own_cost", "cluster_roles", "expected_slots"} <= {each["probe"] for each in listed}


def test_the_list_of_probes_tells_each_question_and_title_in_both_languages(
    sigap: Sigap, tmp_path: Path
) -> None:
    listed = json.loads(sigap("probes", "--json", folder=tmp_path).stdout)
    texts = [each["question"] for each in listed]
    texts += [limit["title"] for each in listed for limit in each["thresholds"]]
    assert all(text["id"] and text["en"] for text in texts)
    assert any(text["id"] != text["en"] for text in texts)


def test_grants_print_an_account_and_its_rights(sigap: Sigap, tmp_path: Path) -> None:
    script = sigap("grants", "postgresql", folder=tmp_path).stdout
    assert "CREATE ROLE sigap" in script and "GRANT pg_monitor TO sigap;" in script
    assert "SUPERUSER" not in script
    script = sigap("grants", "mariadb", "--user", "pantau@10.0.0.1", folder=tmp_path).stdout
    assert "CREATE USER IF NOT EXISTS 'pantau'@'10.0.0.1'" in script
    assert "SLAVE MONITOR" in script and "performance_schema" not in script
    assert "performance_schema" in sigap("grants", "mysql", folder=tmp_path).stdout
    assert "dikenal" in one_sentence(sigap("grants", "oracle", folder=tmp_path), 1)


def test_the_schema_checks_the_sample(sigap: Sigap, tmp_path: Path) -> None:
    made = json.loads(sigap("schema", folder=tmp_path).stdout)
    jsonschema.Draft202012Validator.check_schema(made)


def test_version_is_told(sigap: Sigap, tmp_path: Path) -> None:
    assert sigap("version", folder=tmp_path).stdout.startswith("sigap 0.")


def test_people_are_added_assigned_and_listed_without_a_password_in_sight(
    sigap: Sigap, folder: Path
) -> None:
    add = sigap(
        "people", "add", "budi", "--name", "Budi, S.Kom", folder=folder, stdin="kunci-Rumah-9"
    )
    assert add.returncode == 0, add.stderr
    assert sigap("people", "assign", "budi", "pp", folder=folder).returncode == 0
    (listed,) = json.loads(sigap("people", "list", "--json", folder=folder).stdout)
    assert listed["person"]["name"] == "Budi, S.Kom"
    assert [each["role"] for each in listed["assignments"]] == ["PP"]
    (folder / "pw").write_text("kunci-Baru-10\n")
    assert sigap("people", "passwd", "budi", "--password-file", "pw", folder=folder).returncode == 0
    assert "kunci" not in (folder / "sigap.db").read_bytes().decode("latin-1")
    one_sentence(sigap("people", "add", "x", "--name", "X", folder=folder), 1)
    one_sentence(sigap("people", "assign", "budi", "ZZ", folder=folder), 1)
    day = sigap("people", "assign", "budi", "PP", "--to", "besok", folder=folder)
    assert "YYYY-MM-DD" in one_sentence(day, 1)


def test_people_are_told_of_in_the_configured_language_or_the_one_asked_for(
    sigap: Sigap, folder: Path
) -> None:
    said = sigap("people", "add", "budi", "--name", "Budi", folder=folder, stdin=SECRET).stdout
    assert said == "budi ditambahkan; beri peran dengan: sigap people assign budi PERAN\n"
    said = sigap("people", "assign", "budi", "PP", "--lang", "en", folder=folder).stdout
    assert said == "budi is PP (definitif)\n"
    assert "PERAN HARI INI" in sigap("people", "list", folder=folder).stdout
    assert "ROLES TODAY" in sigap("people", "list", "--lang", "en", folder=folder).stdout
    said = sigap("people", "passwd", "budi", folder=folder, stdin="kunci-Baru-10").stdout
    assert said.startswith("kata sandi budi sudah diganti")


def test_a_missing_password_is_told_with_the_next_move_in_the_language_of_the_command(
    sigap: Sigap, folder: Path
) -> None:
    (folder / "kosong.pw").write_text("")
    add = ("people", "add", "budi", "--name", "Budi")
    said = one_sentence(sigap(*add, folder=folder), 1)
    assert "tidak ada kata sandi pada masukan standar" in said and "--password-file" in said
    said = one_sentence(sigap(*add, "--lang", "en", folder=folder), 1)
    assert "no password came from standard input" in said and "--password-file" in said
    for file, told in (("kosong.pw", "kosong.pw kosong"), ("tiada.pw", "tidak dapat dibaca")):
        assert told in one_sentence(sigap(*add, "--password-file", file, folder=folder), 1)
    signing = sigap("incidents", "open", "--title", "x", "--as", "budi", folder=folder)
    assert "tidak ada kata sandi" in one_sentence(signing, 1)


def test_an_incident_is_opened_signed_and_verified_from_the_command_line(
    sigap: Sigap, folder: Path
) -> None:
    sigap("people", "add", "budi", "--name", "Budi", folder=folder, stdin=SECRET)
    sigap("people", "assign", "budi", "PP", folder=folder)
    wrong = sigap("incidents", "open", "--title", "x", "--as", "budi", folder=folder, stdin="salah")
    one_sentence(wrong, 1)
    report = ("incidents", "open", "--title", "SIMPEG lambat", "--as", "budi")
    opened = sigap(*report, folder=folder, stdin=SECRET)
    assert opened.returncode == 0, opened.stderr
    number = opened.stdout.split()[1]
    (listed,) = json.loads(sigap("incidents", "list", "--json", folder=folder).stdout)["incidents"]
    assert (listed["number"], listed["step"]) == (number, 1)
    sign = ("incidents", "sign", number, "--as", "budi")
    incomplete = sigap(*sign, "--step", "2", folder=folder, stdin=SECRET)
    one_sentence(incomplete, 1)
    one_sentence(sigap(*sign, "--form", "{", folder=folder, stdin=SECRET), 1)
    shown = json.loads(sigap("incidents", "show", number, "--json", folder=folder).stdout)
    assert shown["number"] == number and shown["clocks"]
    assert number in sigap("incidents", "show", number, folder=folder).stdout
    one_sentence(sigap("incidents", "show", "GDB-1999-0001", folder=folder), 1)
    assert "is whole: 1 events" in sigap("verify", "--lang", "en", folder=folder).stdout
    assert sigap("export", "ledger.jsonl", folder=folder).returncode == 0
    assert "is whole" in sigap("verify", "ledger.jsonl", "--lang", "en", folder=folder).stdout
    bundle = folder / "ledger.jsonl"
    bundle.write_bytes(bundle.read_bytes().replace(b"SIMPEG lambat", b"SIMPEG lancar"))
    changed = ("verify", "ledger.jsonl")
    assert "not whole" in one_sentence(sigap(*changed, "--lang", "en", folder=folder), 1)
    assert "ledger.jsonl tidak utuh" in one_sentence(sigap(*changed, folder=folder), 1)
    one_sentence(sigap("verify", "nowhere.jsonl", folder=folder), 1)


def test_an_expired_assignment_is_told_alike(sigap: Sigap, folder: Path) -> None:
    sigap("people", "add", "budi", "--name", "Budi", folder=folder, stdin=SECRET)
    sigap("people", "assign", "budi", "PP", "--to", "2026-01-31", folder=folder)
    report = ("incidents", "open", "--title", "SIMPEG lambat", "--as", "budi")
    number = sigap(*report, folder=folder, stdin=SECRET).stdout.split()[1]
    shown = sigap("incidents", "show", number, "--as", "budi", "--json", folder=folder).stdout
    sentence = json.loads(shown)["waiting"]["refusal"]["en"]
    assert "your assignment to that role ended on 31 January 2026" in sentence
    sign = ("incidents", "sign", number, "--as", "budi", "--lang", "en")
    assert one_sentence(sigap(*sign, folder=folder, stdin=SECRET), 1) == f"sigap: {sentence}"


def test_what_was_opened_signed_and_verified_is_said_in_the_language_of_the_command(
    sigap: Sigap, folder: Path
) -> None:
    sigap("people", "add", "budi", "--name", "Budi", folder=folder, stdin=SECRET)
    sigap("people", "assign", "budi", "PP", folder=folder)
    report = ("incidents", "open", "--title", "SIMPEG lambat", "--as", "budi")
    said = sigap(*report, folder=folder, stdin=SECRET).stdout
    number = said.split()[1]
    assert said == f"gangguan {number} dibuka\n"
    said = sigap(*report, "--lang", "en", folder=folder, stdin=SECRET).stdout
    assert re.fullmatch(r"opened \S+\n", said)
    form = json.dumps(
        {
            "title": "SIMPEG lambat",
            "source": "person",
            "reported_at": "2026-11-26T08:00:00+08:00",
            "application": "SIMPEG",
            "agency": "BKD",
            "description": "Lambat sejak pagi",
            "impact": "Layanan kepegawaian",
        }
    )
    sign = ("incidents", "sign", "--form", form, "--as", "budi")
    english = sigap(*sign, said.split()[1], "--lang", "en", folder=folder, stdin=SECRET)
    assert english.stdout.startswith("signed step 1 of "), english.stderr
    said = sigap(*sign, number, folder=folder, stdin=SECRET).stdout
    assert said.startswith(f"langkah 1 dari {number} sudah ditandatangani; sekarang di langkah 2")
    assert sigap("verify", folder=folder).stdout.startswith("buku besar kejadian utuh: 4 kejadian")
    assert sigap("verify", "--lang", "en", folder=folder).stdout.startswith("the ledger is whole")


def test_an_agent_without_a_store_says_so(sigap: Sigap, tmp_path: Path) -> None:
    write_config(tmp_path, [NOBODY], store="")
    listing = ("incidents", "list")
    assert "tidak menyebut penyimpanan" in one_sentence(sigap(*listing, folder=tmp_path), 1)
    english = sigap(*listing, "--lang", "en", folder=tmp_path)
    assert "names no store" in one_sentence(english, 1)


def test_a_store_that_cannot_be_used_is_said_in_the_language_of_the_command(
    sigap: Sigap, folder: Path
) -> None:
    (folder / "sigap.db").write_bytes(b"this is a letter, not a database" * 100)
    said = one_sentence(sigap("people", "list", folder=folder), 1)
    assert "rusak atau bukan basis data Sigap" in said
    said = one_sentence(sigap("people", "list", "--lang", "en", folder=folder), 1)
    assert "is damaged or no Sigap store" in said


def test_what_needs_no_configuration_speaks_its_language_where_there_is_one(
    sigap: Sigap, tmp_path: Path
) -> None:
    assert sigap("probes", folder=tmp_path).stdout.startswith("JENIS")
    assert sigap("probes", "--lang", "en", folder=tmp_path).stdout.startswith("ENGINE")
    assert "hanya dibaca" in sigap("grants", "postgresql", folder=tmp_path).stdout
    file = write_config(tmp_path, [NOBODY])
    file.write_text(file.read_text().replace("agent: {", "agent: {language: en, "))
    assert sigap("probes", folder=tmp_path).stdout.startswith("ENGINE")
    assert "read only" in sigap("grants", "postgresql", folder=tmp_path).stdout
    assert "hanya dibaca" in sigap("grants", "postgresql", "--lang", "id", folder=tmp_path).stdout
    file.write_text("targets: [")  # the script is wanted before the configuration is right
    assert "hanya dibaca" in sigap("grants", "postgresql", folder=tmp_path).stdout
    one_sentence(sigap("grants", "postgresql", "-c", "agent.yaml", folder=tmp_path), 2)


def test_a_bug_is_one_sentence_and_a_traceback_only_on_request(tmp_path: Path) -> None:
    program = (
        "import sys, agent.commands.serve as serve\n"
        "def broken(given): raise ZeroDivisionError('boom')\n"
        "serve.version = broken\n"
        "from agent.cli import main\nsys.exit(main(['version']))"
    )

    def run(**variables: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-c", program], cwd=ROOT, env=environment() | variables,
            capture_output=True, text=True, check=False,
        )  # fmt: skip

    assert "internal error (ZeroDivisionError: boom)" in one_sentence(run(), 70)
    assert "Traceback" in run(SIGAP_DEBUG="1").stderr
