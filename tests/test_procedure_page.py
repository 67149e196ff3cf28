"""The page on writing a procedure names every word a procedure file may use."""

from __future__ import annotations

from pathlib import Path

from incidents.procedure import load as procedure
from incidents.procedure import read_steps
from incidents.procedure.letter import DISPENSATION, FACTS, INCIDENT
from incidents.procedure.load import PREFILLS, FieldKind, Right
from incidents.procedure.model import TURN

ROOT = Path(__file__).resolve().parents[1]
PAGE = (ROOT / "docs" / "writing-a-procedure.md").read_text(encoding="utf-8")


def test_every_right_kind_of_field_first_value_and_slot_is_on_the_page() -> None:
    words = {*Right, *FieldKind, *PREFILLS, *FACTS, *INCIDENT, *DISPENSATION, TURN}
    assert [word for word in sorted(words) if word not in PAGE] == []


def test_every_key_of_the_top_and_of_a_step_is_on_the_page() -> None:
    keys = (*procedure.KEYS, *read_steps.KEYS)
    assert [key for key in keys if f"{key}:" not in PAGE and f"`{key}`" not in PAGE] == []


def test_its_mistake_is_the_one_a_person_reads() -> None:
    file = ROOT / "tests" / "procedures" / "sre.yaml"
    text = file.read_text(encoding="utf-8").replace(
        "{review.what_happened}", "{review.what_happend}"
    )
    try:
        procedure.parse(text, "sre.yaml")
    except procedure.ProcedureError as error:
        (problem,) = (str(each) for each in error.problems)
    place, _, rest = problem.partition(" is none of")
    assert place in PAGE
    assert rest.endswith("did you mean 'review.what_happened'?")
