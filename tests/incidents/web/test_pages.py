"""Pages for people who read, sign, and make mistakes."""

from __future__ import annotations

from dataclasses import replace

import pytest
from fastapi.testclient import TestClient

from incidents.model import Assignment, Basis, Decision
from incidents.workflow.actions import Sign
from probes import Severity
from tests.incidents.web.conftest import SignedIn
from tests.incidents.web.hands import ANSWERS, form_of, plain, post_sign, sign_up_to, token
from tests.incidents.web.world import CAST, World, lock_finding

STEP_1 = {
    "title": "SIMPEG terkunci",
    "source": "probe",
    "reporter": "Ibu Ratna",
    "reported_at": "2026-11-23T08:05",
    "application": "SIMPEG",
    "agency": "BKD",
    "description": "Sesi menahan sesi lain.",
    "impact": "Pegawai tidak dapat menyimpan.",
}


def test_whoever_is_not_signed_in_is_led_to_the_form_and_back(client: TestClient) -> None:
    answer = client.get("/targets")
    assert answer.status_code == 303
    assert answer.headers["location"] == "/signin?next=/targets"


@pytest.mark.parametrize("elsewhere", ["//evil.example", "https://evil.example", "/\\evil.example"])
def test_signing_in_never_leads_to_another_site(client: TestClient, elsewhere: str) -> None:
    answer = client.post(
        "/signin",
        data={"username": "putri", "password": "rahasia-uji-coba-7", "next": elsewhere},
    )
    assert answer.status_code == 303
    assert answer.headers["location"] == "/"


def test_a_wrong_password_and_an_unknown_name_read_the_same(client: TestClient) -> None:
    wrong = client.post("/signin", data={"username": "putri", "password": "salah"})
    unknown = client.post("/signin", data={"username": "tiada", "password": "salah"})
    assert wrong.status_code == unknown.status_code == 403
    assert plain(wrong.text) == plain(unknown.text)


def test_somebody_who_keeps_guessing_has_to_wait_even_with_the_right_password(
    client: TestClient,
) -> None:
    for _ in range(12):
        client.post("/signin", data={"username": "putri", "password": "salah"})
    answer = client.post("/signin", data={"username": "putri", "password": "rahasia-uji-coba-7"})
    assert answer.status_code == 403


def test_signing_out_ends_the_session_on_the_server_too(signed_in: SignedIn) -> None:
    client = signed_in("PP")
    stolen = client.cookies["sigap_session"]
    assert client.post("/signout", data={"csrf": token(client)}).status_code == 303
    client.cookies.set("sigap_session", stolen)
    assert client.get("/").status_code == 303


def test_the_inbox_shows_first_what_waits_for_the_reader(world: World, signed_in: SignedIn) -> None:
    number = world.open_incident()
    mine = signed_in("PP").get("/").text
    theirs = signed_in("PW").get("/").text
    assert mine.index(number) < mine.index('id="others"')
    assert theirs.index(number) > theirs.index('id="others"')
    assert "Tidak ada yang menunggu tanda tangan Anda." in theirs


def test_a_long_inbox_is_cut_after_what_is_due_first_and_says_so(
    world: World, signed_in: SignedIn
) -> None:
    for number in range(52):
        finding = replace(lock_finding(world.clock.now), target=f"server{number:02}")
        world.desk.report(finding, world.clock.now)
    page = signed_in("PP").get("/").text
    assert page.count('class="title"') == 50
    assert "50 pertama dari 52." in plain(page)
    assert 'href="/archive?state=open"' in page


def test_the_page_answers_what_how_bad_since_when_whose_turn_and_what_now(
    world: World, signed_in: SignedIn
) -> None:
    number = world.open_incident()
    page = signed_in("PP").get(f"/incidents/{number}").text
    text = plain(page[page.index("<article>") :])
    parts = ["menahan 12 sesi", "Kritis", "08.05 WITA", "Putri Maharani", "Giliran Anda"]
    places = [text.index(part) for part in parts]
    assert places == sorted(places)


def test_a_person_of_the_wrong_role_sees_the_reason_and_no_form(
    world: World, signed_in: SignedIn
) -> None:
    number = world.open_incident()
    page = signed_in("KD").get(f"/incidents/{number}").text
    assert f'action="/incidents/{number}/sign"' not in page
    assert "(PP)" in plain(page)


def test_a_forged_signature_of_the_wrong_role_is_refused_with_the_same_sentence(
    world: World, signed_in: SignedIn
) -> None:
    number = world.open_incident()
    page = signed_in("PP").get(f"/incidents/{number}").text
    client = signed_in("PW")
    form = form_of(page, STEP_1) | {"csrf": token(client)}
    answer = client.post(f"/incidents/{number}/sign", data=form)
    assert answer.status_code == 403
    shown = plain(client.get(f"/incidents/{number}").text)
    sentence = shown[shown.index("Langkah 1 ditandatangani") :].split(";")[0]
    assert sentence in plain(answer.text)
    assert world.desk.queries.incident(number).step == 1


def test_an_incomplete_form_names_every_field_and_keeps_what_was_typed(
    world: World, signed_in: SignedIn
) -> None:
    number = world.open_incident()
    answer = post_sign(signed_in("PP"), number, {**STEP_1, "impact": "", "agency": " "})
    assert answer.status_code == 422
    assert 'href="#f-impact"' in answer.text
    assert 'href="#f-agency"' in answer.text
    assert 'value="Ibu Ratna"' in answer.text
    assert world.desk.queries.incident(number).step == 1


def test_a_browsers_local_time_is_kept_with_the_offices_offset(
    world: World, signed_in: SignedIn
) -> None:
    number = world.open_incident()
    assert post_sign(signed_in("PP"), number, STEP_1).status_code == 303
    signed = world.desk.queries.incident(number).visits[0].signoff
    assert signed is not None
    assert signed.form["reported_at"] == "2026-11-23T08:05:00+08:00"


def test_a_stale_page_tells_what_changed_and_loses_nothing_that_was_typed(
    world: World, signed_in: SignedIn
) -> None:
    number = world.open_incident()
    client = signed_in("PP")
    old = client.get(f"/incidents/{number}").text
    assert post_sign(client, number, STEP_1).status_code == 303
    answer = client.post(
        f"/incidents/{number}/sign", data=form_of(old, {**STEP_1, "impact": "Kata-kata kedua."})
    )
    assert answer.status_code == 409
    text = plain(answer.text)
    assert "Menandatangani langkah 1" in text
    assert "Kata-kata kedua." in text
    assert len(world.desk.queries.documents(number)) == 1


def test_a_claim_in_between_offers_the_typed_form_again_with_the_new_version(
    world: World, signed_in: SignedIn
) -> None:
    number = world.open_incident()
    client = signed_in("PP")
    old = client.get(f"/incidents/{number}").text
    form = {"csrf": token(client), "version": str(world.desk.queries.incident(number).version)}
    assert client.post(f"/incidents/{number}/claim", data=form).status_code == 303
    stale = client.post(f"/incidents/{number}/sign", data=form_of(old, STEP_1))
    assert stale.status_code == 409
    again = client.post(f"/incidents/{number}/sign", data=form_of(stale.text, STEP_1))
    assert again.status_code == 303
    assert world.desk.queries.incident(number).step == 2


def test_returning_a_step_goes_back_and_prints_the_reason(
    world: World, signed_in: SignedIn
) -> None:
    number = world.open_incident()
    sign_up_to(world, number, 6)
    answers = {"return_class": "evidence", "return_reason": "Bukti belum cukup."}
    assert post_sign(signed_in("PW"), number, answers, "return").status_code == 303
    assert world.desk.queries.incident(number).step == 5
    left = world.desk.queries.documents(number)[-1]
    page = signed_in("AJ").get(f"/incidents/{number}/documents/{left.id}").text
    assert "Catatan Arahan Pemeriksaan Ulang" in page
    assert "Bukti belum cukup." in page


def test_yes_while_monitoring_is_red_needs_a_reason(world: World, signed_in: SignedIn) -> None:
    number = world.open_incident()
    sign_up_to(world, number, 6)
    world.desk.report(lock_finding(world.clock.now), world.clock.now)
    client = signed_in("PW")
    bare = post_sign(client, number, {"verification": "Sudah dicoba."})
    assert bare.status_code == 422
    assert 'href="#f-red_reason"' in bare.text
    reasoned = {"verification": "Sudah dicoba.", "red_reason": "Probe diuji ulang besok."}
    assert post_sign(client, number, reasoned).status_code == 303
    page = client.get(
        f"/incidents/{number}/documents/{world.desk.queries.documents(number)[-1].id}"
    ).text
    assert "Probe diuji ulang besok." in page


def test_a_dispensation_lets_the_repairer_verify_and_is_printed(
    world: World, signed_in: SignedIn
) -> None:
    number = world.open_incident()
    sign_up_to(world, number, 6)
    world.people.assign(Assignment("putri", "PW", Basis.PLT, "800/1/2026"), world.clock.now)
    repairer, head = signed_in("PP"), signed_in("KD")
    refused = repairer.get(f"/incidents/{number}").text
    assert f'action="/incidents/{number}/sign"' not in refused
    form = {
        "csrf": token(head),
        "version": str(world.desk.queries.incident(number).version),
        "dispense_step": "7",
        "dispense_to": "putri",
        "dispense_reason": "Pejabat Pengawas sedang cuti.",
    }
    assert head.post(f"/incidents/{number}/dispense", data=form).status_code == 303
    assert post_sign(repairer, number, {"verification": "Sudah dicoba."}).status_code == 303
    left = world.desk.queries.documents(number)[-1]
    page = plain(repairer.get(f"/incidents/{number}/documents/{left.id}").text)
    assert "Pejabat Pengawas sedang cuti." in page
    assert "Plt." in page


def test_closing_as_no_disruption_needs_a_reason_and_leaves_a_note(
    world: World, signed_in: SignedIn
) -> None:
    number = world.open_incident()
    sign_up_to(world, number, 1)
    client = signed_in("PA")
    form = {
        "csrf": token(client),
        "version": str(world.desk.queries.incident(number).version),
        "outcome": "not_a_disruption",
        "duplicate_of": "",
        "dismiss_reason": "",
    }
    bare = client.post(f"/incidents/{number}/dismiss", data=form)
    assert bare.status_code == 422
    assert world.desk.queries.incident(number).open
    form["dismiss_reason"] = "Uji coba terencana."
    assert client.post(f"/incidents/{number}/dismiss", data=form).status_code == 303
    assert world.desk.queries.incident(number).outcome == "not_a_disruption"
    assert "Uji coba terencana." in client.get(f"/incidents/{number}").text
    assert number in client.get("/archive").text


def test_a_remark_lands_in_the_timeline_and_cannot_carry_markup(
    world: World, signed_in: SignedIn
) -> None:
    number = world.open_incident()
    client = signed_in("AJ")
    form = {"csrf": token(client), "note": "<script>alert(1)</script> menunggu suku cadang"}
    assert client.post(f"/incidents/{number}/note", data=form).status_code == 303
    page = client.get(f"/incidents/{number}").text
    assert "menunggu suku cadang" in page
    assert "<script>" not in page


def test_an_empty_remark_is_refused_in_a_sentence(world: World, signed_in: SignedIn) -> None:
    number = world.open_incident()
    client = signed_in("AJ")
    answer = client.post(f"/incidents/{number}/note", data={"csrf": token(client), "note": " "})
    assert answer.status_code == 422


def test_a_report_by_hand_opens_an_incident_and_a_bare_one_is_refused(
    world: World, signed_in: SignedIn
) -> None:
    client = signed_in("PP")
    form = {"csrf": token(client), "title": "", "description": "Tetap tersimpan."}
    bare = client.post("/report", data=form)
    assert bare.status_code == 422
    assert "Tetap tersimpan." in bare.text
    form |= {"title": "e-Surat tidak dapat dibuka", "source": "agency", "severity": "warning"}
    opened = client.post("/report", data=form)
    assert opened.status_code == 303
    page = client.get(opened.headers["location"]).text
    assert "e-Surat tidak dapat dibuka" in page
    assert "Tetap tersimpan." in page


@pytest.mark.parametrize("mangled", [{"step": "x"}, {"version": ""}, {"decision": "perhaps"}])
def test_a_mangled_form_is_answered_with_one_sentence(
    world: World, signed_in: SignedIn, mangled: dict[str, str]
) -> None:
    number = world.open_incident()
    client = signed_in("PP")
    page = client.get(f"/incidents/{number}").text
    answer = client.post(f"/incidents/{number}/sign", data=form_of(page, STEP_1) | mangled)
    assert answer.status_code == 400
    assert "muat ulang" in plain(answer.text)


@pytest.mark.parametrize(
    "path", ["/incidents/GDB-2026-9999", "/nowhere", "/incidents/x/documents", "/targets/nobody"]
)
def test_what_does_not_exist_is_said_on_a_page(signed_in: SignedIn, path: str) -> None:
    answer = signed_in("PP").get(path)
    assert answer.status_code == 404
    assert "<h1>" in answer.text


def test_only_leaders_read_the_list_of_people(signed_in: SignedIn) -> None:
    assert signed_in("AJ").get("/people").status_code == 403
    page = signed_in("KD").get("/people")
    assert page.status_code == 200
    assert "800/012/2026" in page.text


def test_every_step_leaves_its_document_and_the_last_one_is_a_letter(
    world: World, signed_in: SignedIn
) -> None:
    number = world.open_incident()
    sign_up_to(world, number, 9)
    client = signed_in("KD")
    documents = world.desk.queries.documents(number)
    assert len(documents) == len(ANSWERS)
    for document in documents:
        page = client.get(f"/incidents/{number}/documents/{document.id}").text
        assert document.sha256 in page
        assert document.ledger_hash in page
        assert "<svg" in page
    letter = plain(page)
    for words in ("Nomor : (belum dinomori)", "Yth. BKD", "a.n. Kepala Dinas", "Tembusan:"):
        assert words in letter


def test_paper_names_people_and_not_their_accounts(world: World, signed_in: SignedIn) -> None:
    number = world.open_incident()
    sign_up_to(world, number, 4)
    repair = world.desk.queries.documents(number)[-1]
    page = signed_in("KD").get(f"/incidents/{number}/documents/{repair.id}").text
    paper = plain(page[page.index('<article class="paper"') :])
    assert "Andi Saputra, S.Kom." in paper
    assert "andi" not in paper


def test_a_closed_incident_offers_nothing_to_do(world: World, signed_in: SignedIn) -> None:
    number = world.open_incident()
    sign_up_to(world, number, 9)
    page = signed_in("PP").get(f"/incidents/{number}").text
    assert "Ditutup." in page
    assert f'action="/incidents/{number}/' not in page


def test_the_letter_carries_no_technical_detail_out_of_the_office(
    world: World, signed_in: SignedIn
) -> None:
    number = world.open_incident()
    sign_up_to(world, number, 9)
    letter = world.desk.queries.documents(number)[-1]
    page = signed_in("KD").get(f"/incidents/{number}/documents/{letter.id}").text
    paper = page[page.index('<article class="paper"') :]
    for detail in ("simpeg-primary", "app_simpeg", "4711"):
        assert detail not in paper


def test_the_letter_stays_in_bahasa_indonesia_for_an_english_reader(
    world: World, signed_in: SignedIn
) -> None:
    number = world.open_incident()
    sign_up_to(world, number, 9)
    client = signed_in("KD")
    client.post("/language", data={"csrf": token(client), "to": "en", "next": "/"})
    page = client.get(
        f"/incidents/{number}/documents/{world.desk.queries.documents(number)[-1].id}"
    ).text
    assert '<html lang="en">' in page
    assert '<article class="paper" lang="id">' in page
    assert "Sehubungan dengan gangguan" in page


def test_a_document_reads_the_same_on_another_day(world: World, signed_in: SignedIn) -> None:
    number = world.open_incident()
    sign_up_to(world, number, 8)
    address = f"/incidents/{number}/documents/{world.desk.queries.documents(number)[-1].id}"
    today = signed_in("KD").get(address).text
    world.clock.forward(days=40)
    later = signed_in("KD").get(address).text
    assert (
        today[today.index("<article") : today.index("</article>")]
        == later[later.index("<article") : later.index("</article>")]
    )


def test_a_paper_can_be_checked_without_an_account_and_a_forged_one_cannot(
    world: World, client: TestClient
) -> None:
    number = world.open_incident()
    sign_up_to(world, number, 1)
    document = world.desk.queries.documents(number)[0]
    address = f"/verify/{number}/{document.id}"
    genuine = client.get(address, params={"h": document.sha256[:12]})
    assert genuine.status_code == 200
    assert document.sha256 in genuine.text
    wrong = client.get(address, params={"h": "000000000000"})
    unknown = client.get(f"/verify/GDB-2026-0777/{document.id}", params={"h": "000000000000"})
    assert wrong.status_code == unknown.status_code == 404
    assert plain(wrong.text) == plain(unknown.text)


def test_two_people_signing_the_same_step_leave_one_signature(
    world: World, signed_in: SignedIn
) -> None:
    number = world.open_incident()
    client = signed_in("PP")
    page = client.get(f"/incidents/{number}").text
    signer = world.people.signer(CAST["PP"].username, world.clock.now.date())
    assert signer is not None
    version = world.desk.queries.incident(number).version
    world.desk.sign(number, Sign(1, Decision.APPROVE, ANSWERS[1], version), signer, world.clock.now)
    answer = client.post(f"/incidents/{number}/sign", data=form_of(page, STEP_1))
    assert answer.status_code == 409
    assert len(world.desk.queries.documents(number)) == 1


def test_the_badge_says_the_present_and_the_worst_is_history(
    world: World, signed_in: SignedIn
) -> None:
    number = world.open_incident()
    client = signed_in("PP")
    world.desk.report(lock_finding(world.clock.now, Severity.WARNING), world.clock.now)
    row = plain(client.get("/").text)
    assert "Peringatan tadinya kritis" in row
    assert "Terberat: Kritis." in plain(client.get(f"/incidents/{number}").text)
    world.heal()
    assert "Pulih belum ditandatangani" in plain(client.get("/").text)
    sign_up_to(world, number, 2)
    assert "Pulih menunggu langkah 3" in plain(client.get("/").text)


def test_a_question_left_open_is_asked_again(world: World, signed_in: SignedIn) -> None:
    number = world.open_incident()
    sign_up_to(world, number, 4)
    answer = post_sign(signed_in("AJ"), number, {"condition": "Normal."})
    assert "Jawab: " in plain(answer.text)
    assert "? harus diisi" not in plain(answer.text)
