"""House rules: import directions, file length, forbidden words.

Each rule is checked on the real tree, and on a small tree with a planted violation that it must
find.
"""

from __future__ import annotations

import subprocess
import sys
import tomllib
from collections.abc import Mapping
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

from tests.support import house, tidy
from tools import rooms

ROOT = Path(__file__).resolve().parent.parent

# What a probe-only agent imports at start; the ones that exist are tried.
DAEMON = ("cli", "config", "daemon", "http", "log", "metrics.registry", "runtime.pipeline")


@pytest.fixture(scope="module")
def tree() -> house.Tree:
    return house.read(ROOT)


@pytest.fixture(scope="module")
def texts() -> Mapping[str, str]:
    read = {str(path.relative_to(ROOT)): tidy.text_of(path) for path in tidy.files(ROOT)}
    return {name: text for name, text in read.items() if text is not None}


def planted(folder: Path, files: Mapping[str, str]) -> house.Tree:
    for name, source in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        for package in path.relative_to(folder).parents:
            if package != Path():
                (folder / package / "__init__.py").touch()
        path.write_text(source, encoding="utf-8")
    return house.read(folder)


def test_all_three_rooms_are_read(tree: house.Tree) -> None:
    assert set(house.ROOMS) <= tree.modules
    assert {"probes.model", "incidents.model"} <= tree.modules


def test_a_room_imports_only_rooms_below_it(tree: house.Tree) -> None:
    assert house.wrong_rooms(tree) == []


@pytest.mark.parametrize(
    ("name", "source"),
    [
        ("probes/judge.py", "import incidents.model"),
        ("probes/host/volumes.py", "def f():\n    from agent import config"),
        ("incidents/desk.py", "from agent.config import Config"),
        ("incidents/desk.py", "import importlib\nimportlib.import_module('agent.cli')"),
        ("agent/demo/seed.py", "from tests.support import builders"),
        ("files/strict_yaml.py", "from incidents.ledger.canonical_json import content"),
        ("probes/host/backups.py", "from files.strict_yaml import read"),
    ],
)
def test_an_arrow_into_a_higher_room_is_found(tmp_path: Path, name: str, source: str) -> None:
    assert len(house.wrong_rooms(planted(tmp_path, {name: source}))) == 1


def test_incidents_use_only_the_words_of_probes(tree: house.Tree) -> None:
    assert house.more_than_words(tree) == []


def test_a_reach_behind_the_words_is_found(tmp_path: Path) -> None:
    files = {
        "probes/model.py": "class Finding: ...",
        "incidents/desk.py": "from probes import Finding",
        "incidents/procedure/sla.py": "from probes.model import Finding",
        "incidents/notify/outbox.py": "from probes import model",
        "files/problems.py": "from probes.judge import Judge",
    }
    found = house.more_than_words(planted(tmp_path, files))
    assert [each.split(":")[0] for each in found] == [
        "files.problems",
        "incidents.notify.outbox",
        "incidents.procedure.sla",
    ]


def test_engines_keep_apart_and_the_model_stands_at_the_bottom(tree: house.Tree) -> None:
    assert house.wrong_inside_probes(tree) == []


@pytest.mark.parametrize(
    ("name", "source"),
    [
        ("probes/model.py", "from probes.judge import Judge"),
        ("probes/__init__.py", "from probes.judge import Judge"),
        ("probes/mysql/connection/connect.py", "from probes.postgresql import connect"),
        ("probes/mysql/connection/connect.py", "from ...postgresql.connection.connect import open"),
        ("probes/mysql/lag.py", "def f():\n    from probes.runner import take"),
        ("probes/registry.py", "import probes.postgresql.connect"),
        ("probes/i18n/text.py", "from probes.model import Finding"),
    ],
)
def test_a_wrong_arrow_inside_probes_is_found(tmp_path: Path, name: str, source: str) -> None:
    base = {
        "probes/judge.py": "",
        "probes/runner.py": "",
        "probes/postgresql/connection/connect.py": "",
    }
    assert len(house.wrong_inside_probes(planted(tmp_path, {**base, name: source}))) == 1


def test_the_floors_of_incidents_hold(tree: house.Tree) -> None:
    assert house.wrong_inside_incidents(tree) == []


@pytest.mark.parametrize(
    ("files", "way"),
    [
        ({"model.py": "from incidents.procedure import load"}, "model procedure.load"),
        (
            {"procedure/load.py": "from incidents.procedure.sla import x"},
            "procedure.load procedure.sla",
        ),
        ({"outbox.py": "def f():\n    import incidents.desk"}, "outbox desk"),
        ({"desk.py": "from .web.pages import x"}, "desk web.pages"),
        (
            {
                "procedure/load.py": "from incidents import forms",
                "forms.py": "import incidents.procedure.sla",
            },
            "procedure.load forms procedure.sla",
        ),
    ],
)
def test_a_step_up_inside_incidents_is_found(
    tmp_path: Path, files: dict[str, str], way: str
) -> None:
    names = (
        *("model.py", "procedure/load.py", "procedure/sla.py", "workflow/fold.py", "desk.py"),
        "web/pages.py",
    )
    tree = planted(tmp_path, {f"incidents/{n}": files.get(n, "") for n in {*names, *files}})
    expected = " -> ".join(f"incidents.{name}" for name in way.split())
    assert [each.split(":")[0] for each in house.wrong_inside_incidents(tree)] == [expected]


def test_no_module_leads_back_to_itself(tree: house.Tree) -> None:
    assert house.cycles(tree) == []


def test_a_cycle_is_found_even_through_a_function(tmp_path: Path) -> None:
    files = {
        "agent/a.py": "import agent.b",
        "agent/b.py": "from agent import c",
        "agent/c.py": "def late():\n    from . import a",
    }
    assert house.cycles(planted(tmp_path, files)) == ["agent.a -> agent.b -> agent.c -> agent.a"]


def test_no_room_is_crowded(tree: house.Tree) -> None:
    assert rooms.crowded(rooms.rooms(tree)) == []


def test_no_box_of_a_room_leads_back_to_itself(tree: house.Tree) -> None:
    assert rooms.circular(rooms.rooms(tree)) == []


def test_no_class_is_too_long_to_read() -> None:
    assert rooms.long_classes(ROOT) == []


def test_no_function_is_too_long_to_read() -> None:
    assert rooms.long_functions(ROOT) == []


def test_a_class_name_has_one_meaning() -> None:
    assert rooms.defined_twice(ROOT) == {}


def test_probes_do_without_the_libraries_of_the_desk(tree: house.Tree) -> None:
    assert house.foreign(tree, "probes", house.DESK_LIBRARIES) == []


def test_incidents_know_no_database_driver(tree: house.Tree) -> None:
    assert house.foreign(tree, "incidents", house.DRIVERS) == []


def test_a_foreign_library_is_found_inside_a_function(tmp_path: Path) -> None:
    tree = planted(tmp_path, {"incidents/desk.py": "def f():\n    import psycopg2.extras"})
    assert len(house.foreign(tree, "incidents", house.DRIVERS)) == 1


def without_desk(root: Path, modules: list[str]) -> subprocess.CompletedProcess[str]:
    """Import `modules` where the desk's libraries cannot be imported, as on a database server."""
    program = (
        f"import sys; sys.path.insert(0, {str(root)!r})\n"
        f"sys.modules.update(dict.fromkeys({house.DESK_LIBRARIES!r}))\n"
        f"import {', '.join(modules)}\n"
    )
    return subprocess.run(
        [sys.executable, "-P", "-c", program], capture_output=True, text=True, check=False
    )


def test_a_probe_only_agent_starts_without_the_libraries_of_the_desk() -> None:
    there = {path.stem for path in (ROOT / "agent").iterdir()}
    done = without_desk(ROOT, ["agent", *(f"agent.{name}" for name in DAEMON if name in there)])
    assert done.returncode == 0, done.stderr


def test_a_desk_library_at_the_top_of_the_daemon_is_found(tmp_path: Path) -> None:
    files = {"agent/daemon.py": "import agent.http", "agent/http.py": "import sqlalchemy"}
    planted(tmp_path, files)
    done = without_desk(tmp_path, ["agent.daemon"])
    assert done.returncode != 0
    assert "sqlalchemy" in done.stderr


def test_every_library_of_the_extras_is_on_the_list() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = project["optional-dependencies"]
    wanted = {
        line.split(">")[0].split("[")[0].replace("_", "-").lower()
        for name in extras.keys() - {"dev"}
        for line in extras[name]
    }
    imported = packages_distributions()
    listed = {
        each.replace("_", "-").lower()
        for name in house.DESK_LIBRARIES
        for each in imported.get(name, [])
    }
    assert wanted - listed == set()


def test_no_module_is_longer_than_one_reason(texts: Mapping[str, str]) -> None:
    modules = {name: text for name, text in texts.items() if name.endswith(".py")}
    assert [each for name, text in modules.items() for each in tidy.too_long(name, text)] == []


def test_a_long_module_is_found() -> None:
    assert not list(tidy.too_long("a.py", "x = 1\n" * tidy.LONGEST_MODULE))
    assert list(tidy.too_long("a.py", "x = 1\n" * (tidy.LONGEST_MODULE + 1)))


def test_every_silenced_check_says_why(texts: Mapping[str, str]) -> None:
    modules = {name: text for name, text in texts.items() if name.endswith(".py")}
    assert [each for name, text in modules.items() for each in tidy.unexplained(name, text)] == []


@pytest.mark.parametrize(
    ("source", "breaks"),
    [
        ("x = 1  # " + "noqa", 1),
        ("x = 1  # " + "noqa: E501", 1),
        ("x = 1  # " + "type: ignore[attr-defined]", 1),
        ("x = 1  # " + "pragma: no cover", 1),
        ("x = 1  # " + "noqa: E501 - an address cannot be broken", 0),
        ("x = 1  # " + "type: ignore[misc]  # the stub lacks this call", 0),
        ("# the stub lacks this call\nx = 1  # " + "type: ignore[misc]", 0),
        ("y = 2  # something about y here\nx = 1  # " + "noqa: E501", 1),
        ("x = '# " + "noqa'", 0),
    ],
)
def test_a_silenced_check_without_a_why_is_found(source: str, breaks: int) -> None:
    assert len(list(tidy.unexplained("a.py", source + "\n"))) == breaks


def test_nothing_kept_names_one_machine_or_a_registry(texts: Mapping[str, str]) -> None:
    assert [each for name, text in texts.items() for each in tidy.elsewhere(name, text)] == []


@pytest.mark.parametrize(
    "line",
    ["cd /wo" + "rk/main", "see '/tm" + "p/x.log'", "--index-url https://pypi" + ".org/simple"],
)
def test_a_path_or_host_of_one_machine_is_found(line: str) -> None:
    assert len(list(tidy.elsewhere("a.md", line))) == 1


def test_ordinary_paths_are_left_alone() -> None:
    text = "docs/work/a and ${ROOT}/tmp/b and /srv/pg_wal and PrivateTmp=yes and /tmp alone"
    assert list(tidy.elsewhere("a.md", text)) == []


def test_what_git_does_not_know_is_read_from_the_folder(tmp_path: Path) -> None:
    (tmp_path / "kept.py").write_text("x = 1\n")
    (tmp_path / ".venv").mkdir()
    (tmp_path / ".venv" / "left.py").write_text("x = 1\n")
    assert [path.name for path in tidy.files(tmp_path)] == ["kept.py"]
