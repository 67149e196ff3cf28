"""The procedure file: the nine steps, and every possible mistake in a file reported at once."""

from __future__ import annotations

from pathlib import Path

import pytest

from incidents.model import Decision, Outcome
from incidents.procedure import load as procedure
from incidents.procedure.load import FieldKind, ProcedureError, Right
from tests.incidents.builders import PROCEDURE

SHIPPED = Path(procedure.__file__).parent.parent / "procedures" / "kaltim.yaml"


def changed(*replacements: tuple[str, str]) -> str:
    """The shipped file with pieces of it replaced; each piece must be there."""
    text = SHIPPED.read_text(encoding="utf-8")
    for old, new in replacements:
        assert old in text
        text = text.replace(old, new, 1)
    return text


def problems(text: str) -> list[str]:
    with pytest.raises(ProcedureError) as caught:
        procedure.parse(text, "test.yaml")
    return [str(problem) for problem in caught.value.problems]


def test_the_nine_steps_have_the_performers_times_and_ways_of_the_sop() -> None:
    rows = [
        (s.number, s.role, s.standard.seconds(27000) / 60, s.next, s.return_to)
        for s in PROCEDURE.steps
    ]
    assert rows == [
        (1, "PP", 30, 2, None),
        (2, "PA", 60, 3, None),
        (3, "PW", 60, 4, None),
        (4, "PP", 900, 5, None),
        (5, "AJ", 15, 6, None),
        (6, "PP", 60, 7, None),
        (7, "PW", 60, 8, 5),
        (8, "PA", 15, 9, 7),
        (9, "PP", 15, None, None),
    ]
    assert PROCEDURE.overall.days == 3
    assert PROCEDURE.step(4).standard.target_days == 1
    assert PROCEDURE.step(4).with_role == "AJ"


@pytest.mark.parametrize(
    ("step", "decision", "title", "revision"),
    [
        (1, Decision.APPROVE, "Form Laporan", 1),
        (2, Decision.APPROVE, "Form Pengecekan", 1),
        (3, Decision.APPROVE, "Catatan Disposisi", 1),
        (4, Decision.APPROVE, "Catatan Gangguan", 1),
        (5, Decision.APPROVE, "Laporan Gangguan", 1),
        (6, Decision.APPROVE, "Laporan Gangguan", 2),
        (7, Decision.APPROVE, "Laporan Penyelesaian Gangguan", 1),
        (7, Decision.RETURN, "Catatan Arahan Pemeriksaan Ulang", 1),
        (8, Decision.APPROVE, "Laporan Penyelesaian Pekerjaan", 1),
        (8, Decision.RETURN, "Catatan Pengembalian", 1),
        (9, Decision.APPROVE, "Surat Laporan Penyelesaian Gangguan", 1),
    ],
)
def test_every_sign_off_leaves_the_document_the_sop_names(
    step: int, decision: Decision, title: str, revision: int
) -> None:
    document, found = PROCEDURE.output(step, decision)
    assert (document.title.id, found) == (title, revision)


def test_the_separation_of_duties_is_data() -> None:
    rules = {s.number: s.not_signed_by for s in PROCEDURE.steps if s.not_signed_by}
    assert rules == {5: (4,), 7: (4, 5, 6), 8: (4, 5, 6, 7)}
    assert PROCEDURE.dispenser is not None
    assert PROCEDURE.dispenser.key == "KD"


def test_the_head_of_agency_is_told_of_the_whole_and_whose_turn_it_is_of_a_step() -> None:
    step, overall = PROCEDURE.informed.step, PROCEDURE.informed.overall
    assert (step.share, step.reminded, step.breached) == (0.75, ("turn",), ("turn",))
    assert (overall.reminded, overall.breached) == (("turn", "KD"), ("turn", "KD"))
    assert PROCEDURE.informed.closed == ("KD",)


def test_only_the_head_of_agency_signs_nothing() -> None:
    may = {role.key: role.rights for role in PROCEDURE.roles}
    assert [key for key, rights in may.items() if Right.SIGN not in rights] == ["KD"]
    assert [role.key for role in PROCEDURE.with_right(Right.SEE_PEOPLE)] == ["KD", "PA"]


def test_the_repair_names_at_least_one_administrator() -> None:
    field = PROCEDURE.step(4).field("participants")
    assert field is not None
    assert (field.kind, field.role, field.required) == (FieldKind.PEOPLE, "AJ", True)


def test_only_step_two_may_dismiss() -> None:
    assert PROCEDURE.dismissal is not None
    assert PROCEDURE.dismissal.step == 2
    assert PROCEDURE.dismissal.outcomes == (Outcome.NOT_A_DISRUPTION, Outcome.DUPLICATE)


def test_a_comment_does_not_change_the_version_and_a_word_does() -> None:
    same = procedure.parse("# remark\n" + SHIPPED.read_text(encoding="utf-8"), "x")
    other = procedure.parse(changed(("minutes: 30", "minutes: 31")), "x")
    assert same.hash == PROCEDURE.hash
    assert other.hash != PROCEDURE.hash


def test_the_canonical_content_gives_the_same_procedure_again() -> None:
    again = procedure.parse(PROCEDURE.content, "store")
    assert again == PROCEDURE


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("number: 3", "number: 2", "two steps have the number 2"),
        ("next: 3", "next: 12", "there is no step 12"),
        ("next: 3", "next: 1", "next must be a later step"),
        ("return_to: 5", "return_to: 8", "return_to must be an earlier step"),
        ("return_to: 5", "return_to: 55", "there is no step 55"),
        ("role: PA", "role: XX", "'XX' is none of: AJ, KD, PA, PP, PW"),
        ("{minutes: 30}", "{minutes: 0}", "a limit must be greater than 0"),
        ("{minutes: 30}", "{minutes: -5}", "a limit must be greater than 0"),
        ("{minutes: 30}", "{minutes: 5, days: 1}", "give either minutes or days"),
        ("target_days: 1", "target_days: 3", "within the limit"),
        ("    next: 9\n", "", "exactly one step must have no next"),
        ("{document: form_laporan}", "{document: memo}", "'memo' is none of"),
        ("not_signed_by: [4]", "not_signed_by: [5]", "5 is not another step"),
        ("kind: datetime", "kind: moment", "'moment' is none of"),
        ("prefill: title", "prefill: weather", "'weather' is none of"),
        ("at: 0.75", "at: 75", "more than 0, at most 1"),
        ("{at: 0.75, roles: [turn]}", "{at: 1, roles: [turn]}", "one at a share below 1"),
        ("roles: [turn, KD]", "roles: [turn, KB]", "'KB' is none of"),
        ("closed: [KD]", "closed: [turn]", "'turn' is none of"),
        ("may: [sign, see_people]", "may: [sing]", "did you mean 'sign'?"),
        ("may: [sign, see_people]", "may: [grant_dispensations]", "only one role grants"),
        ("    role: PW", "    role: KD", "KD may not sign; these may: AJ, PA, PP, PW"),
        ("number_prefix: GDB", "number_prefix: gdb-", "capital letters and digits"),
        ("answers_of: [4, 5]", "answers_of: [4, 50]", "there is no step 50"),
        ("evidence: true", "evidense: true", "did you mean 'evidence'?"),
        ("    reason: return_reason\n", "", "reason: is missing"),
        ("reason: return_reason", "reason: return_reasons", "did you mean 'return_reason'?"),
        ("equals: false}", "equals: none}", "'backup' is answered true or false"),
        ("{field: breach,", "{field: urgency,", "answer to 'urgency': 'True' is none of"),
        ("{field: backup,", "{field: spare,", "the form has no field 'spare'"),
        ("name: reporter", "name: title", "two fields are called 'title'"),
        ("name: kaltim", "name: kaltim\nnmae: x", "unknown key"),
        ("name: kaltim", "name: kaltim\nname: again", "written twice (first in line"),
        ("  step: 2\n", "  step: 22\n", "there is no such step"),
        ("name: Head of agency", "name: {id: Kepala, fr: Chef}", "in both languages"),
    ],
)
def test_a_mistake_is_named_with_its_line(old: str, new: str, said: str) -> None:
    found = problems(changed((old, new)))
    assert any(said in problem for problem in found), found
    assert all(problem.startswith("test.yaml:") for problem in found)


@pytest.mark.parametrize(
    ("old", "new", "line", "said"),
    [
        ("- name: summary", "- name: summery", '- text: "{letter.summary}"', "'letter.summery'?"),
        ("- name: advice", "- name: saran", "- text: Untuk mencegah", "'letter.advice' is none of"),
        ("- name: copies", "- name: tembusan", "copies: {from:", "'letter.copies' is none of"),
        ("- name: action\n", "- name: actions\n", "prefill: repair.action", "'actions'?"),
        ("key: repair", "key: repairs", "prefill: repair.action", "did you mean 'repairs'?"),
        ("surat_laporan_penyelesaian:", "surat:", "document: surat_laporan_p", "is none of"),
        ("[laporan_penyelesaian_pekerjaan]", "[laporan]", "attachments:", "'laporan' is none of"),
        ("{incident.number}", "{incident.nomor}", "- text: >-", "did you mean 'incident.number'?"),
        ("facts: [number,", "facts: [nomor,", "facts: [nomor,", "'nomor' is none of"),
    ],
)
def test_a_field_or_document_that_something_needs_is_missed_on_that_line(
    old: str, new: str, line: str, said: str
) -> None:
    text = changed((old, new))
    rows = [i for i, each in enumerate(text.splitlines(), 1) if line in each]
    found = problems(text)
    places = [f"test.yaml:{row}:" for row in rows]
    assert any(
        said in problem and any(problem.startswith(place) for place in places) for problem in found
    ), found


def test_a_role_or_document_may_be_a_plain_word() -> None:
    text = changed(
        ("  form_laporan: Report form", "  form_laporan: Page slip"),
        ("    name: Head of agency\n", "    name: Head\n"),
    )
    found = procedure.parse(text, "test.yaml")
    assert found.documents["form_laporan"].title.id == "Page slip"
    assert found.role("KD").title.en == "Head"


def test_a_text_may_bring_its_languages_itself_and_says_the_same_then() -> None:
    both = "{id: Kepala Dinas, en: Head of agency}"
    found = procedure.parse(changed(("name: Head of agency", f"name: {both}")), "test.yaml")
    assert found == PROCEDURE


def test_what_is_stored_of_a_procedure_says_the_same_without_any_catalogue(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("probes.i18n.text.translated", lambda english, *_: english)
    kept = procedure.parse(PROCEDURE.content, "store")
    assert kept.hash == PROCEDURE.hash
    assert kept.role("KD").title.id == "Kepala Dinas"
    assert kept.step(1).title.id == "Menerima dan mencatat laporan gangguan"


def test_a_return_without_a_reason_is_no_procedure() -> None:
    text = changed()
    for _ in range(4):
        text = text.replace("        required_when: {decision: return}\n", "", 1)
    assert any("a return needs a reason" in problem for problem in problems(text))


def test_every_mistake_is_told_at_once_and_on_the_right_line() -> None:
    text = changed(("minutes: 30", "minutes: 0"), ("role: PA", "role: XX"))
    found = problems(text)
    lines = text.splitlines()
    wanted = [
        next(i for i, line in enumerate(lines, 1) if word in line)
        for word in ("{minutes: 0}", "role: XX")
    ]
    assert {f"test.yaml:{number}:" for number in wanted} == {each.split(" ")[0] for each in found}


@pytest.mark.parametrize("text", ["", "- a\n", "steps: [\n", "\t", "a: b: c", "steps: 3"])
def test_what_is_no_procedure_at_all_is_a_sentence(text: str) -> None:
    assert problems(text)


def test_a_missing_file_says_which_names_exist(tmp_path: Path) -> None:
    with pytest.raises(ProcedureError, match="kaltim"):
        procedure.load(tmp_path / "none.yaml")
