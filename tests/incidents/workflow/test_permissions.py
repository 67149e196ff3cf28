"""Who may do what and when; and if not, the sentence that says why."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime
from typing import Any

import pytest

from incidents.model import Assignment, Basis, Decision, Outcome, Signer
from incidents.procedure import forms
from incidents.workflow import permissions
from incidents.workflow.actions import Action, AddNote, Claim, Dismiss, Dispense, RefusalKind, Sign
from tests.incidents.builders import (
    MORNING,
    PROCEDURE,
    STAFF,
    ZONE,
    Case,
    assigned,
    form,
    green,
    signer,
    until,
)


def test_a_closed_incident_refuses_everything() -> None:
    case = green(9)
    case.sign(MORNING)
    version = case.incident.version
    tried: list[Action] = [
        Sign(9, Decision.APPROVE, form(9), version),
        Claim(version),
        Dismiss(Outcome.NOT_A_DISRUPTION, "x", version),
        AddNote("x"),
        Dispense(7, "putri", "x", version),
    ]
    for action in tried:
        refused = case.check_permission(action, STAFF["PP"], MORNING)
        assert refused is not None
        assert refused.kind is RefusalKind.CLOSED


def test_a_page_read_before_somebody_signed_is_stale() -> None:
    case = Case(MORNING)
    seen = Sign(1, Decision.APPROVE, form(1), case.incident.version)
    assert case.act(Claim(case.incident.version), STAFF["PP"], MORNING) is None
    refused = case.check_permission(seen, STAFF["PP"], MORNING)
    assert refused is not None
    assert refused.kind is RefusalKind.STALE
    assert "Muat ulang" in refused.reason.id
    assert "eload" in refused.reason.en


def test_signing_a_step_that_is_over_says_who_signed_it() -> None:
    case = Case(MORNING)
    seen = Sign(1, Decision.APPROVE, form(1), case.incident.version)
    case.sign(MORNING)
    refused = case.check_permission(seen, STAFF["PP"], MORNING)
    assert refused is not None
    assert refused.kind is RefusalKind.STALE
    assert "Nama Putri" in refused.reason.id


@pytest.mark.parametrize("step", range(1, 10))
def test_only_the_role_of_the_step_may_sign(step: int) -> None:
    case = green(step)
    right = PROCEDURE.step(step).role
    for role, who in STAFF.items():
        version = case.incident.version
        action = Sign(step, Decision.APPROVE, form(step), version)
        refused = case.check_permission(action, who, MORNING)
        if role == right:
            assert refused is None
        else:
            assert refused is not None
            assert refused.kind is RefusalKind.ROLE
            assert f"({right})" in refused.reason.id


def test_an_expired_assignment_says_when_it_ended() -> None:
    late = until("putri", "PP", date(2026, 1, 1), date(2026, 7, 1))
    refused = Case(MORNING).sign(MORNING, who=late)
    assert refused is not None
    assert refused.kind is RefusalKind.ROLE
    assert "berakhir pada 1 Juli 2026" in refused.reason.id
    assert "ended on 1 July 2026" in refused.reason.en


def test_an_assignment_to_come_says_when_it_begins() -> None:
    early = until("putri", "PP", date(2026, 7, 3), None)
    refused = Case(MORNING).sign(MORNING, who=early)
    assert refused is not None
    assert "mulai 3 Juli 2026" in refused.reason.id


def test_the_last_day_of_an_assignment_is_a_day_of_the_office() -> None:
    last_day = until("putri", "PP", None, date(2026, 7, 2))
    evening = datetime(2026, 7, 2, 15, 59, tzinfo=UTC)  # 23.59 WITA
    after = datetime(2026, 7, 2, 16, 0, tzinfo=UTC)  # 00.00 WITA on the third
    assert Case(MORNING).sign(evening, who=last_day) is None
    assert Case(MORNING).sign(after, who=last_day) is not None


def test_an_acting_official_signs_by_letter_and_the_definitive_one_comes_first() -> None:
    both = assigned(
        "wati",
        Assignment("wati", "PW", Basis.PLT, "800/1"),
        Assignment("wati", "PW", Basis.DEFINITIVE, "800/2"),
    )
    held = permissions.held(both, "PW", date(2026, 7, 2))
    assert held is not None
    assert held.letter_number == "800/2"
    acting = signer("tono", "PW", basis=Basis.PLH)
    case = Case(MORNING).to(3, MORNING)
    assert case.sign(MORNING, who=acting) is None
    signoff = case.incident.visits[2].signoff
    assert signoff is not None
    assert signoff.basis is Basis.PLH


EVERYTHING = signer("semua", "AJ", "PP", "PW", "PA")


def with_signer(step: int, who: Signer, upto: int) -> Case:
    """A case where ``who`` signed ``step`` and the usual staff the others before ``upto``."""
    case = green()
    while case.incident.step != upto:
        chosen = who if case.incident.step == step else None
        assert case.sign(MORNING, who=chosen) is None
    return case


@pytest.mark.parametrize(
    ("signed", "asked"), [(4, 5), (4, 7), (5, 7), (6, 7), (4, 8), (5, 8), (6, 8), (7, 8)]
)
def test_the_person_who_did_the_work_cannot_check_it(signed: int, asked: int) -> None:
    refused = with_signer(signed, EVERYTHING, asked).sign(MORNING, who=EVERYTHING)
    assert refused is not None
    assert refused.kind is RefusalKind.SEPARATION
    assert f"langkah {signed}" in refused.reason.id
    assert "Nama Semua" in refused.reason.id


@pytest.mark.parametrize(("signed", "asked"), [(1, 4), (4, 6), (1, 9), (4, 9), (3, 7), (2, 8)])
def test_the_same_person_may_sign_what_the_sop_leaves_together(signed: int, asked: int) -> None:
    assert with_signer(signed, EVERYTHING, asked).sign(MORNING, who=EVERYTHING) is None


def test_an_earlier_visit_counts_for_the_separation_of_duties() -> None:
    case = with_signer(5, EVERYTHING, 7)
    assert case.sign(MORNING, Decision.RETURN) is None
    while case.incident.step != 7:
        assert case.sign(MORNING) is None
    refused = case.sign(MORNING, who=EVERYTHING)
    assert refused is not None
    assert refused.kind is RefusalKind.SEPARATION


def test_a_dispensation_lifts_the_separation_for_that_person_and_step_only() -> None:
    case = with_signer(4, EVERYTHING, 7)
    grant = Dispense(7, "semua", "hanya satu petugas", case.incident.version)
    assert case.act(grant, STAFF["KD"], MORNING) is None
    assert case.sign(MORNING, who=EVERYTHING) is None
    refused = case.sign(MORNING, who=EVERYTHING)
    assert refused is not None
    assert refused.kind is RefusalKind.SEPARATION
    assert case.incident.dispensations[0].granted_by == "kadis"


@pytest.mark.parametrize(
    ("who", "change", "kind"),
    [
        (STAFF["PA"], {}, RefusalKind.ROLE),
        (STAFF["KD"], {"username": "kadis"}, RefusalKind.SEPARATION),
        (STAFF["KD"], {"reason": " "}, RefusalKind.FORM),
        (STAFF["KD"], {"step": 3}, RefusalKind.FORM),
        (STAFF["KD"], {"username": ""}, RefusalKind.FORM),
        (STAFF["KD"], {"version": 99}, RefusalKind.STALE),
    ],
)
def test_a_dispensation_is_the_heads_with_a_reason_and_not_for_himself(
    who: Signer, change: dict[str, Any], kind: RefusalKind
) -> None:
    case = Case(MORNING)
    action = replace(Dispense(7, "semua", "alasan", case.incident.version), **change)
    refused = case.check_permission(action, who, MORNING)
    assert refused is not None
    assert refused.kind is kind


def test_every_missing_field_is_named_in_one_sentence() -> None:
    case = Case(MORNING).to(4, MORNING)
    refused = case.sign(MORNING, cause=None, action="   ", participants=[])
    assert refused is not None
    assert refused.kind is RefusalKind.FORM
    for label in ("Penyebab gangguan", "Tindakan penyelesaian", "Administrator Jaringan"):
        assert label in refused.reason.id
    assert set(refused.fields) == {"cause", "action", "participants"}


def test_no_backup_needs_a_reason_and_a_backup_none() -> None:
    case = Case(MORNING).to(4, MORNING)
    refused = case.sign(MORNING, backup=False, backup_reason=None)
    assert refused is not None
    assert set(refused.fields) == {"backup_reason"}
    assert case.sign(MORNING, backup=True, backup_reason=None) is None


def test_a_sign_of_a_breach_has_to_be_described() -> None:
    case = Case(MORNING).to(2, MORNING)
    refused = case.sign(MORNING, breach=True, breach_detail=None)
    assert refused is not None
    assert set(refused.fields) == {"breach_detail"}
    assert case.sign(MORNING, breach=False, breach_detail=None) is None


@pytest.mark.parametrize(
    ("step", "name", "value"),
    [
        (1, "title", 7),
        (1, "title", "x" * 301),
        (1, "title", "two\nlines"),
        (1, "impact", "bell \a"),
        (1, "impact", "\ud800"),
        (1, "reported_at", "yesterday"),
        (1, "reported_at", "2026-07-02T10:00"),
        (1, "source", "gossip"),
        (2, "breach", "maybe"),
        (4, "participants", "anwar"),
        (4, "participants", [3]),
    ],
)
def test_an_answer_of_the_wrong_kind_names_its_field(step: int, name: str, value: Any) -> None:
    case = Case(MORNING).to(step, MORNING)
    filled = form(step, **{name: value})
    action = Sign(step, Decision.APPROVE, filled, case.incident.version)
    refused = case.act(action, STAFF[PROCEDURE.step(step).role], MORNING)
    assert refused is not None
    assert refused.kind is RefusalKind.FORM
    assert set(refused.fields) == {name}


def test_whoever_is_named_as_administrator_holds_that_role() -> None:
    case = Case(MORNING).to(4, MORNING)
    action = Sign(4, Decision.APPROVE, form(4, participants=["{x}"]), case.incident.version)
    holders = {"AJ": {"anwar"}}
    refused = permissions.check_permission(
        case.incident, action, STAFF["PP"], PROCEDURE, MORNING, ZONE, holders
    )
    assert refused is not None
    assert "{x}" in refused.reason.id
    assert set(refused.fields) == {"participants"}


def test_a_field_the_form_does_not_have_is_refused() -> None:
    case = Case(MORNING)
    refused = case.sign(MORNING, colour="red")
    assert refused is not None
    assert refused.kind is RefusalKind.FORM
    assert "colour" in refused.reason.en


def test_a_step_without_a_no_cannot_be_returned() -> None:
    refused = Case(MORNING).sign(MORNING, Decision.RETURN)
    assert refused is not None
    assert refused.kind is RefusalKind.DECISION


def test_resolved_while_a_probe_is_red_needs_a_reason() -> None:
    case = Case(MORNING).to(7, MORNING)
    refused = case.sign(MORNING, red_reason=None)
    assert refused is not None
    assert refused.kind is RefusalKind.RED
    assert set(refused.fields) == {"red_reason"}
    assert case.sign(MORNING, red_reason="sensor salah") is None


def test_resolved_while_the_probe_is_green_needs_none() -> None:
    assert green(7).sign(MORNING, red_reason=None) is None


def test_sending_it_back_while_a_probe_is_red_needs_no_red_reason() -> None:
    case = Case(MORNING).to(7, MORNING)
    assert case.sign(MORNING, Decision.RETURN, red_reason=None) is None


def test_the_page_sees_the_same_problems_as_the_guard() -> None:
    case = Case(MORNING).to(7, MORNING)
    step = PROCEDURE.step(7)
    lacking = {"colour": "red"}
    seen = forms.field_problems(step, Decision.APPROVE, lacking, case.incident)
    assert set(seen) == {"verification", "red_reason", "colour"}


def test_the_first_reason_speaks() -> None:
    """Closed, stale, role, separation, form, decision, red: in that order."""
    case = with_signer(4, EVERYTHING, 5)
    wrong = Sign(5, Decision.RETURN, {}, case.incident.version - 1)
    kinds = []
    for action, who in (
        (wrong, STAFF["PA"]),
        (replace(wrong, version=case.incident.version), STAFF["PA"]),
        (replace(wrong, version=case.incident.version), EVERYTHING),
        (replace(wrong, version=case.incident.version), STAFF["AJ"]),
        (Sign(5, Decision.RETURN, form(5), case.incident.version), STAFF["AJ"]),
    ):
        refused = case.check_permission(action, who, MORNING)
        assert refused is not None
        kinds.append(refused.kind)
    assert kinds == ["stale", "role", "separation", "form", "decision"]


def test_a_report_can_be_dismissed_at_step_two_with_a_reason() -> None:
    case = Case(MORNING).to(2, MORNING)
    assert case.dismiss(MORNING, Outcome.NOT_A_DISRUPTION) is None
    assert case.incident.outcome is Outcome.NOT_A_DISRUPTION
    signoff = case.incident.visits[-1].signoff
    assert signoff is not None
    assert signoff.form["reason"] == "keliru"


@pytest.mark.parametrize("step", [1, 3, 4, 9])
def test_a_report_cannot_be_dismissed_anywhere_else(step: int) -> None:
    refused = Case(MORNING).to(step, MORNING).dismiss(MORNING, Outcome.NOT_A_DISRUPTION)
    assert refused.kind is RefusalKind.DECISION


def test_a_dismissal_needs_a_reason_and_a_duplicate_its_original() -> None:
    case = Case(MORNING).to(2, MORNING)
    assert case.dismiss(MORNING, Outcome.NOT_A_DISRUPTION, "").kind is RefusalKind.FORM
    for number in ("", case.incident.number):
        alone = Dismiss(Outcome.DUPLICATE, "sama", case.incident.version, number)
        refused = case.check_permission(alone, STAFF["PA"], MORNING)
        assert refused is not None
        assert set(refused.fields) == {"duplicate_of"}
    resolved = Dismiss(Outcome.RESOLVED, "selesai", case.incident.version)
    refused = case.check_permission(resolved, STAFF["PA"], MORNING)
    assert refused is not None
    assert refused.kind is RefusalKind.DECISION


def test_only_a_duplicate_names_another_incident() -> None:
    case = Case(MORNING).to(2, MORNING)
    both = Dismiss(Outcome.NOT_A_DISRUPTION, "keliru", case.incident.version, "GDB-2026-0099")
    refused = case.check_permission(both, STAFF["PA"], MORNING)
    assert refused is not None
    assert set(refused.fields) == {"duplicate_of"}


def test_a_procedure_without_dismissals_says_so() -> None:
    case = Case(MORNING).to(2, MORNING)
    refused = permissions.check_permission(
        case.incident,
        Dismiss(Outcome.NOT_A_DISRUPTION, "keliru", case.incident.version),
        STAFF["PA"],
        replace(PROCEDURE, dismissal=None),
        MORNING,
        ZONE,
    )
    assert refused is not None
    assert refused.reason.en == "Under this procedure a report cannot be closed without repair."


def test_a_claim_belongs_to_the_role_and_may_be_taken_over() -> None:
    case = Case(MORNING)
    assert case.check_permission(Claim(1), STAFF["AJ"], MORNING) is not None
    assert case.act(Claim(1), STAFF["PP"], MORNING) is None
    assert case.incident.visits[-1].claimed_by == "putri"
    assert case.check_permission(Claim(2), STAFF["PP"], MORNING) is not None
    assert case.act(Claim(2), signer("budi", "PP"), MORNING) is None
    assert case.incident.visits[-1].claimed_by == "budi"


def test_a_note_does_not_make_a_page_stale() -> None:
    case = Case(MORNING)
    seen = case.incident.version
    assert case.act(AddNote("menunggu vendor"), STAFF["AJ"], MORNING) is None
    assert case.incident.version == seen
    assert case.incident.notes[0].text == "menunggu vendor"


@pytest.mark.parametrize("text", ["", "  ", "x" * 10_001, "\0"])
def test_a_note_is_a_readable_text_of_a_person_with_a_role(text: str) -> None:
    case = Case(MORNING)
    assert case.check_permission(AddNote(text), STAFF["AJ"], MORNING) is not None
    assert case.check_permission(AddNote("x"), signer("tamu"), MORNING) is not None


def test_a_posted_form_becomes_the_forms_own_types() -> None:
    posted = {
        "participants": ["anwar", " "],
        "backup": "no",
        "cause": " disk penuh\r\nlagi ",
        "action": "  ",
        "change": "tidak ada",
    }
    assert forms.normalise(PROCEDURE.step(4), posted) == {
        "participants": ["anwar"],
        "backup": False,
        "cause": "disk penuh\nlagi",
        "change": "tidak ada",
    }
    assert forms.normalise(PROCEDURE.step(2), {"breach": "maybe"}) == {"breach": "maybe"}
