"""A procedure written before it named its rights, prefix and letter means what it meant then."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from incidents.model import Decision
from incidents.procedure import load as procedure
from incidents.procedure.load import Procedure, Right
from incidents.store import open_store, tables
from tests.incidents.kept_store.reading import unpacked

Change = Callable[[dict[str, Any]], None]


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The text that incidents of an earlier version run under."""
    store = open_store(f"sqlite:///{unpacked(tmp_path_factory.mktemp('kept'))}")
    with store.read() as connection:
        query = select(tables.contents.c.body).where(tables.contents.c.kind == "procedure")
        (body,) = connection.execute(query).scalars()
    store.close()
    found: dict[str, Any] = json.loads(body)
    return found


def changed(kept: dict[str, Any], change: Change) -> Procedure:
    mine = copy.deepcopy(kept)
    change(mine)
    return procedure.parse(json.dumps(mine), "kept")


def field(top: dict[str, Any], step: int, name: str) -> dict[str, Any]:
    (found,) = (each for each in top["steps"][step - 1]["form"] if each["name"] == name)
    assert isinstance(found, dict)
    return found


def test_it_means_what_the_shipped_one_says_and_everybody_may_sign(kept: dict[str, Any]) -> None:
    then, now = changed(kept, lambda top: None), procedure.load("kaltim")
    for name in (
        "steps",
        "documents",
        "informed",
        "letter",
        "number_prefix",
        "office",
        "dismissal",
    ):
        assert getattr(then, name) == getattr(now, name), name
    assert all(Right.SIGN in role.rights for role in then.roles)
    for right in set(Right) - {Right.SIGN}:
        assert [r.key for r in then.with_right(right)] == [r.key for r in now.with_right(right)]


def test_its_version_is_that_of_the_text_as_it_was_kept(kept: dict[str, Any]) -> None:
    found = changed(kept, lambda top: None)
    assert json.loads(found.content) == kept
    assert procedure.parse(found.content, "again") == found


def _renames(step: int, old: str, new: str) -> Change:
    return lambda top: field(top, step, old).update(name=new)


def _without_urgency(top: dict[str, Any]) -> None:
    form = top["steps"][8]["form"]
    form[:] = [each for each in form if each["name"] != "urgency"]


def _other_roles(top: dict[str, Any]) -> None:
    text = json.dumps(top).replace('"KD"', '"BOS"').replace('"PA"', '"MGR"')
    top.clear()
    top.update(json.loads(text))


def _a_summary_that_is_an_instant(top: dict[str, Any]) -> None:
    field(top, 9, "summary").update(kind="datetime")


def _a_condition_that_never_holds(top: dict[str, Any]) -> None:
    field(top, 4, "backup_reason")["required_when"].update(equals="no")


def _other_documents(top: dict[str, Any]) -> None:
    text = json.dumps(top).replace("laporan_gangguan", "report").replace("surat_", "letter_")
    top.clear()
    top.update(json.loads(text))


@pytest.mark.parametrize(
    ("change", "slots"),
    [
        (_renames(9, "summary", "ringkasan"), {"letter.summary"}),
        (_renames(9, "advice", "saran"), {"letter.advice"}),
        (_a_summary_that_is_an_instant, {"letter.summary"}),
        (_without_urgency, set()),
        (_other_roles, set()),
        (_other_documents, set()),
        (_renames(4, "action", "tindakan"), set()),
        (_renames(7, "return_reason", "alasan"), set()),
        (_a_condition_that_never_holds, set()),
        (lambda top: top.pop("dismissal"), set()),
        (lambda top: top.pop("remind_ratio"), set()),
        (lambda top: top["steps"][8].update(key="surat akhir"), set()),
    ],
)
def test_one_that_differs_loads_and_leaves_out_what_it_has_no_field_for(
    kept: dict[str, Any], change: Change, slots: set[str]
) -> None:
    found = changed(kept, change)
    assert found.letter is not None
    said = {slot for part in found.letter.body if part.sentence for slot in part.sentence.slots}
    assert not said & slots
    assert found.letter.document == found.step(9).outputs[Decision.APPROVE].kind
    assert (found.number_prefix, found.informed.step.share) == ("GDB", 0.75)


def test_a_mistake_in_it_is_still_named(kept: dict[str, Any]) -> None:
    with pytest.raises(procedure.ProcedureError, match="'ZZ' is none of"):
        changed(kept, lambda top: top.update(informed="ZZ"))
    with pytest.raises(procedure.ProcedureError, match="roles"):
        changed(kept, lambda top: top.update(roles=[]))


def test_its_answers_are_carried_from_every_field_it_carried_them_from(
    kept: dict[str, Any],
) -> None:
    found = changed(kept, _renames(5, "rework", "work_done"))
    summary = found.step(9).field("summary")
    assert summary is not None
    carried = [f"{answer.step}.{answer.field}" for answer in summary.carries]
    assert carried == ["repair.action", "examine.work_done"]


def test_shipped_file_is_not_one_of_them() -> None:
    text = (Path(procedure.__file__).parents[1] / "procedures" / "kaltim.yaml").read_text("utf-8")
    assert "dispenser:" not in text
