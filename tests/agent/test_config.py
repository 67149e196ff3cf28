"""agent.yaml: every problem at once, each with its file, line and path."""

from __future__ import annotations

import re
from pathlib import Path

import jsonschema
import pytest
from ruamel.yaml import YAML

from agent.config import Config, ConfigError, load
from agent.config.schema import schema
from probes import Limits, Secret, Severity

ROOT = Path(__file__).resolve().parents[2]
GOOD = """\
agent: {name: db01, listen: "127.0.0.1:0", interval: 15s}
targets:
  - name: simpeg
    engine: postgresql
    url: postgresql://sigap@127.0.0.1:5432/postgres
"""


def read(folder: Path, text: str, environment: dict[str, str] | None = None) -> Config:
    file = folder / "agent.yaml"
    file.write_text(text, encoding="utf-8")
    return load(file, environment or {})


def problems(folder: Path, text: str, environment: dict[str, str] | None = None) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        read(folder, text, environment)
    return [str(problem).replace(f"{folder}/", "") for problem in caught.value.problems]


def target(**lines: str) -> str:
    return GOOD + "".join(f"    {key}: {value}\n" for key, value in lines.items())


def test_a_target_is_read_whole(tmp_path: Path) -> None:
    (tmp_path / "pw").write_text("s3cret\n")
    (tmp_path / "pw").chmod(0o600)
    config = read(
        tmp_path,
        target(
            password_file="pw",
            cluster="simpeg",
            role="primary",
            application="SIMPEG",
            agency="BKD",
            volumes="{wal: /srv/pg_wal}",
            probes="{blocked_sessions: {every: 5s, thresholds: {blocked_seconds: "
            "{critical: 45, opens: critical}}}}",
        ),
    )
    (simpeg,) = config.targets
    assert (simpeg.address.host, simpeg.address.port) == ("127.0.0.1", 5432)
    assert (simpeg.address.user, simpeg.address.database) == ("sigap", "postgres")
    assert simpeg.address.password == Secret("s3cret")
    assert (simpeg.cluster, simpeg.role, simpeg.application) == ("simpeg", "primary", "SIMPEG")
    assert simpeg.volumes == {"wal": "/srv/pg_wal"}
    assert simpeg.host, "a server on loopback is local"
    tuning = simpeg.probes["blocked_sessions"]
    assert tuning.every == 5.0
    assert tuning.thresholds == {"blocked_seconds": Limits(critical=45.0, opens=Severity.CRITICAL)}
    assert (config.interval, config.deadline, config.store) == (15.0, 5.0, None)


def test_reading_twice_gives_equal_targets(tmp_path: Path) -> None:
    assert read(tmp_path, GOOD).targets == read(tmp_path, GOOD).targets


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "agent.yaml: is empty"),
        ("agent: [\n", "agent.yaml:2: is not valid YAML"),
        ("- a\n", "agent.yaml:1: must be a mapping"),
        (GOOD + "stroe: x\n", "stroe: unknown key; did you mean 'store'?"),
        (GOOD + "agent: {}\n", "agent.yaml:6: agent: is written twice (first in line 1)"),
        (
            GOOD + "    probes: {blocked: {every: 5s}}\n",
            "probes.blocked: is not a probe of this engine; did you mean 'blocked_sessions'?",
        ),
        ("agent: {}\n", "targets: has no server to monitor"),
        ("targets: simpeg\n", "agent.yaml:1: targets: must be a list"),
        ("targets: [simpeg]\n", "agent.yaml:1: targets[0]: must be a mapping of keys, not"),
        ("targets:\n  - {}\n", "agent.yaml:2: targets[0].url: is missing"),
        (GOOD + "    name: a\n", "agent.yaml:6: targets[0].name: is written twice (first in"),
        (GOOD + "store: mongodb://x\n", "agent.yaml:6: store: must begin with sqlite:/// or "),
        (GOOD + "store: sqlite://x.db\n", "agent.yaml:6: store: must be sqlite:///file"),
        (
            "agent: {interval: 15}\n" + GOOD.split("\n", 1)[1],
            "agent.yaml:1: agent.interval: must be a duration with its unit, e.g. 15s",
        ),
        (
            "agent: {deadline: 1m}\n" + GOOD.split("\n", 1)[1],
            "agent.yaml:1: agent.deadline: must not be longer than the interval (15s)",
        ),
        (
            "agent: {listen: 9480}\n" + GOOD.split("\n", 1)[1],
            "agent.yaml:1: agent.listen: must be text, not 9480",
        ),
        (
            "agent: {listen: localhost}\n" + GOOD.split("\n", 1)[1],
            "agent.yaml:1: agent.listen: must be address:port",
        ),
        (
            GOOD.replace("engine: postgresql", "engine: postgres"),
            "agent.yaml:4: targets[0].engine: 'postgres' is not a known engine; did you mean",
        ),
        (
            GOOD.replace("engine: postgresql", "engine: mariadb"),
            "agent.yaml:4: targets[0].engine: write 'mysql'; MariaDB is detected",
        ),
        (
            GOOD.replace("postgresql://", "mysql://"),
            "agent.yaml:5: targets[0].url: must begin with postgresql:// for engine postgresql",
        ),
        (
            GOOD.replace(":5432", ":54x2"),
            "agent.yaml:5: targets[0].url: is not an address",
        ),
        (
            GOOD.replace("sigap@127.0.0.1:5432", ""),
            "agent.yaml:5: targets[0].url: has no host",
        ),
        (GOOD.replace("name: simpeg", "name: a/b"), "targets[0].name: 'a/b' is not allowed here"),
        (target(role="master"), "agent.yaml:6: targets[0].role: must be 'primary' or 'replica'"),
        (
            GOOD.replace("postgresql", "pgbouncer").rstrip() + "\n    role: primary\n",
            "targets[0].role: does not fit pgbouncer: such a target is always the cluster's pooler",
        ),
        (target(labels="{9a: x}"), "agent.yaml:6: targets[0].labels.9a: '9a' is not allowed here"),
        (target(volumes="{wal: pg_wal}"), "targets[0].volumes.wal: 'pg_wal' is not allowed here"),
        (
            target(probes="{blocked_session: {}}"),
            "agent.yaml:6: targets[0].probes.blocked_session: is not a probe of this engine; "
            "did you mean 'blocked_sessions'?",
        ),
        (
            target(probes="{blocked_sessions: {evry: 5s}}"),
            "targets[0].probes.blocked_sessions.evry: unknown key; "
            "did you mean 'every'?",
        ),
        (
            target(probes="{blocked_sessions: {every: 5}}"),
            "targets[0].probes.blocked_sessions.every: must be a duration with its unit",
        ),
        (
            target(probes="{blocked_sessions: {thresholds: {blocked_second: {critical: 5}}}}"),
            "targets[0].probes.blocked_sessions.thresholds.blocked_second: is not a measure "
            "blocked_sessions judges; did you mean 'blocked_seconds'?",
        ),
        (
            target(probes="{blocked_sessions: {thresholds: {blocked_seconds: {critical: high}}}}"),
            "thresholds.blocked_seconds.critical: must be a number, not 'high'",
        ),
        (
            target(
                probes="{blocked_sessions: {thresholds: {blocked_seconds: "
                "{warning: 60, critical: 30}}}}"
            ),
            "targets[0].probes.blocked_sessions.thresholds.blocked_seconds: critical (30) must be "
            "at or above warning (60); set both",
        ),
        (target(password_file="missing.pw"), "targets[0].password_file: missing.pw does not exist"),
        (
            target(password='"${SIMPEG_PW}"'),
            "targets[0].password: environment variable SIMPEG_PW is not set",
        ),
        (
            target(application='"${APP:?name the application}"'),
            "targets[0].application: name the application",
        ),
        (
            target(password="a", password_file="b"),
            "targets[0].password: the password is given twice (password, password_file)",
        ),
    ],
)  # fmt: skip
def test_a_problem_is_told_with_its_place(tmp_path: Path, text: str, expected: str) -> None:
    found = problems(tmp_path, text)
    assert any(expected in problem for problem in found), found


def test_every_problem_is_told_at_once(tmp_path: Path) -> None:
    found = problems(
        tmp_path,
        "agent: {intervall: 15s, listen: 9480}\n"
        "store: mongodb://x\n"
        "targets:\n"
        "  - {name: a, engine: postgresql, url: 'mysql://h', role: boss}\n"
        "  - {name: a, engine: oracle, url: x}\n"
        "  - {name: b, engine: mysql, url: 'mysql://h', password_file: nowhere, colour: red}\n",
    )
    assert [problem.split(": ")[1] for problem in found] == [
        "agent.intervall",
        "agent.listen",
        "store",
        "targets[0].role",
        "targets[0].url",
        "targets[1].engine",
        "targets[1].name",
        "targets[2].colour",
        "targets[2].password_file",
    ]


def test_conf_d_adds_targets_and_keeps_their_own_places(tmp_path: Path) -> None:
    folder = tmp_path / "conf.d"
    folder.mkdir()
    extra = "targets:\n  - {name: surat, engine: mysql, url: 'mysql://sigap@10.0.0.9/'}\n"
    (folder / "surat.yaml").write_text(extra)
    assert [t.name for t in read(tmp_path, GOOD).targets] == ["simpeg", "surat"]
    (folder / "surat.yaml").write_text(extra.replace("10.0.0.9", ""))
    (found,) = problems(tmp_path, GOOD)
    assert found.startswith("conf.d/surat.yaml:2: targets[0].url: has no host")


def test_a_key_in_two_files_names_both(tmp_path: Path) -> None:
    (tmp_path / "conf.d").mkdir()
    (tmp_path / "conf.d" / "x.yaml").write_text("agent: {name: other}\n")
    (found,) = problems(tmp_path, GOOD)
    assert found.startswith("conf.d/x.yaml:1: agent: is already defined in ")
    assert "agent.yaml:1" in found


def test_a_name_in_two_files_is_refused(tmp_path: Path) -> None:
    (tmp_path / "conf.d").mkdir()
    (tmp_path / "conf.d" / "x.yaml").write_text("targets:" + GOOD.split("targets:")[1])
    (found,) = problems(tmp_path, GOOD)
    assert "'simpeg' is taken by the target in" in found and "agent.yaml:3" in found


def test_variables_are_replaced_in_values_only(tmp_path: Path) -> None:
    config = read(
        tmp_path,
        target(
            password='"${PW}"',
            application='"${APP:-SIMPEG}"',
            agency='"$${literal}"',
            probes='{blocked_sessions: {every: "${EVERY}", thresholds: '
            '{blocked_seconds: {critical: "${LIMIT}"}}}}',
        ),
        {"PW": "a: {b} # c", "EVERY": "7s", "LIMIT": "99"},
    )
    (simpeg,) = config.targets
    assert simpeg.address.password == Secret("a: {b} # c")
    assert (simpeg.application, simpeg.agency) == ("SIMPEG", "${literal}")
    assert simpeg.probes["blocked_sessions"].every == 7.0
    assert simpeg.probes["blocked_sessions"].thresholds["blocked_seconds"].critical == 99.0
    assert config.warnings == ()


def test_a_password_file_others_can_read_is_refused_with_the_command_that_mends_it(
    tmp_path: Path,
) -> None:
    (tmp_path / "pw").write_text("s3cret\n")
    (tmp_path / "pw").chmod(0o640)
    (found,) = problems(tmp_path, target(password_file="pw"))
    assert "run: chmod 600" in found
    assert "s3cret" not in found


def test_systemds_own_credentials_are_private_already(tmp_path: Path) -> None:
    (tmp_path / "pw").write_text("s3cret\n")
    (tmp_path / "pw").chmod(0o640)
    environment = {"CREDENTIALS_DIRECTORY": str(tmp_path)}
    file = f"{tmp_path}/pw"
    assert read(tmp_path, target(password_file=file), environment).targets[0].address.password


@pytest.mark.parametrize("key", ["password", "url"])
def test_a_literal_password_is_a_warning_that_does_not_show_it(tmp_path: Path, key: str) -> None:
    texts = {
        "url": GOOD.replace("sigap@", "sigap:s3cret@"),
        "password": target(password="s3cret"),
    }
    config = read(tmp_path, texts[key])
    (warning,) = config.warnings
    assert f"targets[0].{key}" in str(warning) and "password_file" in str(warning)
    assert "s3cret" not in str(warning) + repr(config)


def test_times_stay_text_and_words_stay_words(tmp_path: Path) -> None:
    config = read(tmp_path, target(application="16:00", agency="no"))
    assert (config.targets[0].application, config.targets[0].agency) == ("16:00", "no")


def test_a_unix_socket_is_a_host(tmp_path: Path) -> None:
    text = GOOD.replace("127.0.0.1:5432/postgres", "/postgres?host=/run/postgresql&sslmode=disable")
    (simpeg,) = read(tmp_path, text).targets
    assert simpeg.address.host == "/run/postgresql"
    assert simpeg.address.options == {"sslmode": "disable"}
    assert simpeg.host


def test_a_server_elsewhere_is_not_local_unless_told(tmp_path: Path) -> None:
    there = GOOD.replace("127.0.0.1", "db.example")
    assert read(tmp_path, there).targets[0].host == ""
    assert read(tmp_path, there + "    local: true\n").targets[0].host != ""


@pytest.mark.parametrize(
    ("store", "expected"),
    [
        ("sqlite:///sigap.db", "sqlite:///{folder}/sigap.db"),
        ("sqlite:////var/lib/sigap.db", "sqlite:////var/lib/sigap.db"),
        ("postgresql://sigap@db/sigap", "postgresql+psycopg2://sigap@db/sigap"),
        ("postgresql+psycopg2://sigap@db/sigap", "postgresql+psycopg2://sigap@db/sigap"),
    ],
)
def test_the_store_is_written_out(tmp_path: Path, store: str, expected: str) -> None:
    config = read(tmp_path, GOOD + f"store: {store}\n")
    assert config.store is not None
    assert config.store.reveal() == expected.format(folder=tmp_path)


def test_the_stores_password_comes_from_its_file(tmp_path: Path) -> None:
    (tmp_path / "pw").write_text("p@ss/word\n")
    (tmp_path / "pw").chmod(0o600)
    text = GOOD + "store: postgresql://sigap@db:5433/sigap\nstore_password_file: pw\n"
    config = read(tmp_path, text)
    assert config.store is not None
    expected = "postgresql+psycopg2://sigap:p%40ss%2Fword@db:5433/sigap"
    assert config.store.reveal() == expected
    assert "p@ss" not in repr(config)


def test_the_schema_accepts_what_the_loader_accepts_and_refuses_what_it_refuses() -> None:
    made = schema()
    jsonschema.Draft202012Validator.check_schema(made)
    validator = jsonschema.Draft202012Validator(made)
    yaml = YAML(typ="safe", pure=True)
    sample = yaml.load((ROOT / "agent.yaml").read_text(encoding="utf-8"))
    assert list(validator.iter_errors(sample)) == []
    for text in (
        GOOD + "stroe: x\n",
        target(role="boss"),
        target(probes="{blocked_session: {}}"),
        target(probes="{blocked_sessions: {every: 5}}"),
        GOOD.replace("postgresql\n", "oracle\n"),
    ):
        assert list(validator.iter_errors(yaml.load(text))), text


def test_the_sample_is_a_good_configuration(tmp_path: Path) -> None:
    (tmp_path / "simpeg.pw").write_text("x\n")
    (tmp_path / "simpeg.pw").chmod(0o600)
    text = (ROOT / "agent.yaml").read_text(encoding="utf-8")
    config = read(tmp_path, text.replace("/etc/sigap/simpeg.pw", "simpeg.pw"))
    assert [each.name for each in config.targets] == ["simpeg-primary"]
    assert config.warnings == ()


def test_the_samples_of_every_engine_are_good_once_their_comment_signs_are_gone(
    tmp_path: Path,
) -> None:
    text = (ROOT / "agent.yaml").read_text(encoding="utf-8").replace("/etc/sigap/", "")
    for name in ("simpeg", "esurat", "pooler"):
        (tmp_path / f"{name}.pw").write_text("x\n")
        (tmp_path / f"{name}.pw").chmod(0o600)
    before, targets, examples = text.partition("\ntargets:\n")
    config = read(tmp_path, before + targets + re.sub(r"(?m)^  # ", "  ", examples))
    assert {each.engine for each in config.targets} == {"postgresql", "mysql", "pgbouncer"}
    assert config.warnings == ()
