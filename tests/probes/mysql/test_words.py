"""Classification of errors, redaction of literals, and directories from variables."""

from __future__ import annotations

import re
import socket
from dataclasses import replace

import pymysql
import pytest
from hypothesis import given
from hypothesis import strategies as st

from probes import Address, FailureKind, ProbeError, Target, registry
from probes.mysql.connection import tls
from probes.mysql.connection.connect import MySQLSession, flavour_of, preamble, version_of
from probes.mysql.connection.errors import failure
from probes.mysql.connection.paths import directories
from probes.mysql.grants import missing, quoted
from probes.mysql.locks.lock_queries import INFORMATION_SCHEMA, PERFORMANCE_SCHEMA, dialect
from probes.mysql.redact import error_text, statement
from probes.mysql.storage.write_canary import refused
from probes.wire import deadline

ADDRESS = Address("db.example.go.id", 3306, "sigap")


@pytest.mark.parametrize(
    ("said", "version", "flavour"),
    [
        ("5.5.5-10.11.19-MariaDB-0+deb12u1", 101119, "mariadb"),
        ("11.8.6-MariaDB-log", 110806, "mariadb"),
        ("9.7.4", 90704, "mysql"),
        ("8.0.36-28", 80036, "mysql"),
        ("5.7.44-log", 50744, "mysql"),
        ("a proxy", 0, "mysql"),
    ],
)
def test_versions_and_flavours_are_read(said: str, version: int, flavour: str) -> None:
    assert version_of(said) == version
    assert flavour_of(said) == flavour


def test_each_flavour_gets_the_limit_it_knows() -> None:
    assert "max_statement_time=5," in preamble("mariadb")[0]
    assert "max_execution_time=5000," in preamble("mysql")[0]
    for flavour in ("mysql", "mariadb"):
        assert "lock_wait_timeout=2" in preamble(flavour)[0]


@pytest.mark.parametrize(
    ("number", "kind"),
    [
        (1040, FailureKind.EXHAUSTED),
        (1203, FailureKind.EXHAUSTED),
        (1226, FailureKind.EXHAUSTED),
        (1045, FailureKind.DENIED),
        (1698, FailureKind.DENIED),
        (1129, FailureKind.DENIED),
        (1130, FailureKind.DENIED),
        (3118, FailureKind.DENIED),
        (4151, FailureKind.DENIED),
        (2003, FailureKind.UNREACHABLE),
        (2006, FailureKind.UNREACHABLE),
        (2013, FailureKind.UNREACHABLE),
        (1053, FailureKind.REFUSED),
        (1227, FailureKind.BLIND),
        (1142, FailureKind.BLIND),
        (1143, FailureKind.BLIND),
        (1054, FailureKind.BLIND),
        (1146, FailureKind.BLIND),
        (1969, FailureKind.BLIND),
        (3024, FailureKind.BLIND),
        (1907, FailureKind.BLIND),
        (1205, FailureKind.BLIND),
        (1317, FailureKind.BLIND),
        (1064, FailureKind.BROKEN),
        (6400, FailureKind.REFUSED),  # offline_mode as MySQL 9 says it: by its own decision
        (6401, FailureKind.REFUSED),  # or by a user's
        (9999, FailureKind.BROKEN),
    ],
)
def test_every_error_has_a_kind_and_a_next_move_in_both_languages(
    number: int, kind: FailureKind
) -> None:
    found = failure(pymysql.err.OperationalError(number, "said"), ADDRESS, "sigap@%").failure
    assert found.kind is kind
    assert str(number) in found.message
    assert found.hint.id
    assert found.hint.en
    assert found.hint.id != found.hint.en
    assert "{" not in found.hint.id + found.hint.en


@pytest.mark.parametrize(
    ("message", "line"),
    [
        (
            "Access denied; you need (at least one of) the SUPER, SLAVE MONITOR privilege(s) for "
            "this operation",
            "GRANT SLAVE MONITOR ON *.* TO 'sigap'@'10.%';",
        ),
        (
            "Access denied; you need (at least one of) the SUPER, REPLICATION CLIENT privilege(s) "
            "for this operation",
            "GRANT REPLICATION CLIENT ON *.* TO 'sigap'@'10.%';",
        ),
        (
            "Access denied; you need (at least one of) the PROCESS privilege(s) for this operation",
            "GRANT PROCESS ON *.* TO 'sigap'@'10.%';",
        ),
        (
            "SELECT command denied to user 'sigap'@'10.0.0.2' for table 'data_lock_waits'",
            "GRANT SELECT ON performance_schema.* TO 'sigap'@'10.%';",
        ),
    ],
)
def test_the_missing_grant_is_the_exact_line(message: str, line: str) -> None:
    assert missing(message, "sigap@10.%") == line


def test_an_account_is_quoted_as_a_grant_takes_it() -> None:
    assert quoted("sigap@localhost") == "'sigap'@'localhost'"
    assert quoted("sigap") == "'sigap'"


def test_no_grant_is_more_than_looking() -> None:
    declared = [*registry.engine("mysql").base_grants]
    for probe in registry.probes_for("mysql"):
        declared += probe.grants
    for grant in declared:
        assert not re.search(r"\b(SUPER|ALL|INSERT|UPDATE|DELETE|WITH GRANT)\b", grant.sql)
        assert grant.sql.format(user="sigap")
    rights = {g.sql for g in declared if g.flavour == "mariadb" and g.sql.startswith("GRANT")}
    assert {right.split(" ON ")[0] for right in rights} == {
        "GRANT PROCESS", "GRANT SLAVE MONITOR", "GRANT BINLOG MONITOR",
    }  # fmt: skip


def test_the_lock_tables_of_each_version_are_asked() -> None:
    assert dialect("mariadb", 120100) is INFORMATION_SCHEMA
    assert dialect("mysql", 50744) is INFORMATION_SCHEMA
    assert dialect("mysql", 80400) is PERFORMANCE_SCHEMA
    assert "INNODB_LOCK" not in PERFORMANCE_SCHEMA.edges + PERFORMANCE_SCHEMA.tables


@pytest.mark.parametrize(
    ("raw", "bare"),
    [
        (
            "UPDATE pegawai SET nama='Siti', gaji = 12500.75 WHERE nik=\"3171\"",
            "UPDATE pegawai SET nama=?, gaji = ? WHERE nik=?",
        ),
        ("SELECT `kolom 1` FROM t2024 WHERE x = 0xDEAD", "SELECT `kolom 1` FROM t2024 WHERE x = ?"),
        ("INSERT INTO a VALUES ('it''s', 'x\\'y', n'z')", "INSERT INTO a VALUES (?, ?, ?)"),
        ("SELECT 'cut off in the mid", "SELECT ?"),
        ("SELECT\n  1", "SELECT ?"),
        (None, ""),
    ],
)  # fmt: skip
def test_literals_vanish_and_names_stay(raw: str | None, bare: str) -> None:
    assert statement(raw) == bare


@given(st.text())
def test_no_quoted_secret_survives(secret: str) -> None:
    quoted_secret = "zzqqsecret" + secret.replace("\\", "\\\\").replace("'", "''")
    assert "zzqqsecret" not in statement(f"UPDATE t SET a = '{quoted_secret}' WHERE id = 1")
    assert "zzqqsecret" not in statement(f"UPDATE t SET a = '{quoted_secret}")


def test_a_long_statement_is_cut() -> None:
    assert len(statement("SELECT " + "a, " * 500)) == 200


@pytest.mark.parametrize(
    "message",
    [
        "Could not execute Write_rows_v1 event on table app.t; Duplicate entry '3171' for key "
        "'PRIMARY', Error_code: 1062; handler error HA_ERR_FOUND_DUPP_KEY",
        "Error 'Duplicate entry '3171' for key 'PRIMARY'' on query. Default database: 'app'. "
        "Query: 'insert into t values (3171)'",
        "Error 'Incorrect integer value: '3171' for column 'id' at row 1' on query. Default "
        "database: 'app'. Query: 'insert into t values ('3171')'",
    ],
)
def test_a_replication_error_keeps_its_cause_and_loses_the_value(message: str) -> None:
    found = error_text(message)
    assert "3171" not in found
    assert "app" in found


def test_directories_are_absolute_and_named_by_purpose() -> None:
    found = directories(
        {
            "datadir": "/srv/mysql/",
            "log_bin": "ON",
            "log_bin_basename": "/srv/binlog/b",
            "relay_log_basename": "/srv/mysql/relay-bin",
            "innodb_log_group_home_dir": "./",
            "innodb_undo_directory": "../undo",
            "innodb_temp_tablespaces_dir": "./#innodb_temp/",
            "tmpdir": "/a:/b",
        }
    )
    assert found == {
        "data": "/srv/mysql",
        "binlog": "/srv/binlog",
        "relay": "/srv/mysql",
        "redo": "/srv/mysql",
        "undo": "/srv/undo",
        "temp": "/srv/mysql/#innodb_temp",
        "tmp": "/a",
        "tmp2": "/b",
    }


def test_a_server_without_binary_log_has_no_binlog_directory() -> None:
    assert "binlog" not in directories({"datadir": "/d", "log_bin": "OFF", "log_bin_basename": ""})
    assert directories({}) == {}


@pytest.mark.parametrize(
    ("host", "options", "expected"),
    [
        ("127.0.0.1", {}, "disabled"),
        ("/run/mysqld", {}, "disabled"),
        ("db.example.go.id", {}, "preferred"),
        ("127.0.0.1", {"ssl": "required"}, "required"),
        ("db.example.go.id", {"ssl_ca": "ca.pem"}, "required"),
        ("db.example.go.id", {"ssl": "disabled"}, "disabled"),
    ],
)
def test_tls_is_off_at_home_and_preferred_abroad(
    host: str, options: dict[str, str], expected: str
) -> None:
    assert tls.mode(Address(host, 3306, "sigap", options=options)) == expected


def test_one_context_serves_all_logins_of_a_target() -> None:
    address = Address("db.example.go.id", 3306, "sigap")
    assert tls.choice(address) is tls.choice(address)
    assert tls.choice(address).context is not None


def test_a_wrong_word_for_tls_names_the_right_ones() -> None:
    with pytest.raises(ProbeError) as caught:
        tls.choice(Address("h", 3306, "sigap", options={"ssl": "perhaps"}))
    assert "required, preferred, disabled" in caught.value.failure.hint.en


def test_a_missing_ca_file_is_said_with_its_name() -> None:
    with pytest.raises(ProbeError) as caught:
        tls.choice(Address("h", 3306, "sigap", options={"ssl_ca": "nowhere.pem"}))
    assert "nowhere.pem" in caught.value.failure.message


@pytest.mark.parametrize("number", [1044, 1049])
def test_a_missing_database_is_not_a_rejected_account(number: int) -> None:
    address = replace(ADDRESS, database="tiada")
    found = failure(pymysql.err.OperationalError(number, "said"), address, "").failure
    assert found.said.en == f"does not offer the database tiada ({number})"
    assert found.said.id != found.said.en


def test_giving_up_on_somebodys_lock_is_known_from_a_limit_of_time() -> None:
    def said(number: int) -> ProbeError:
        return failure(pymysql.err.OperationalError(number, "said"), ADDRESS, "sigap@%")

    assert said(1205).waited_for_lock
    assert "blocked_sessions" in said(1205).failure.hint.en
    assert not said(3024).waited_for_lock


@pytest.mark.parametrize("number", [1203, 1226])
def test_the_monitoring_accounts_own_limit_is_not_a_full_server(number: int) -> None:
    found = failure(pymysql.err.OperationalError(number, "said"), ADDRESS, "").failure
    assert found.said.en == (
        f"lives, but the monitoring account sigap reached its own connection limit ({number})"
    )
    assert found.said.id != found.said.en


def test_who_says_nothing_at_all_may_be_no_mysql() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        target = Target("db", "mysql", Address("127.0.0.1", port, "sigap"))
        with deadline.within(0.3), pytest.raises(ProbeError) as caught:
            MySQLSession(target, "test").login()
    assert caught.value.failure.kind is FailureKind.TIMEOUT
    assert f"no MySQL/MariaDB on that port, 127.0.0.1:{port}" in caught.value.failure.hint.en


def test_a_test_write_behind_somebodys_lock_does_not_finish_rather_than_being_refused() -> None:
    waited = failure(pymysql.err.OperationalError(1205, "Lock wait timeout"), ADDRESS, "")
    assert "does not finish" in refused(waited).en
