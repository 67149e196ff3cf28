"""A team on call: its own file, roles and numbers, from a failing database to a signed notice.

No line of code is changed for it: the agent is started on ``tests/procedures/sre.yaml``, people get
their roles from the command line, a real lock opens the incident, three people sign in browsers.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.browser.chromium import browser
from tests.browser.sitter import Account, Sitter
from tests.servers.postgresql import Server, single
from tests.support.agent import ROOT, Agent, running, sigap, target_lines
from tests.support.used import note
from tests.support.wait import until

SRE = ROOT / "tests" / "procedures" / "sre.yaml"
PASSWORD = "horse-battery-77"
TEAM = {"dina": "ONCALL", "edo": "ONCALL", "lia": "LEAD", "max": "MANAGER"}

pytestmark = [
    pytest.mark.browser,
    pytest.mark.servers,
    pytest.mark.slow,
    pytest.mark.timeout(300),
]


@pytest.fixture
def server() -> Iterator[Server]:
    with single() as running_server:
        yield running_server


def configured(folder: Path, server: Server) -> Path:
    target = target_lines(
        server.target("shop-db"),
        application="shop",
        agency="Shop team",
        role="primary",
        probes="{blocked_sessions: {thresholds: {blocked_seconds: {warning: 1, critical: 2}}}}",
    )
    file = folder / "agent.yaml"
    file.write_text(
        "agent: {name: sre, listen: '127.0.0.1:0', interval: 1s, deadline: 500ms, language: en}\n"
        "store: sqlite:///sigap.db\n"
        f"procedure: {SRE}\n"
        "office: {signer_name: Lia Doe}\n"
        f"targets:\n{target}",
        encoding="utf-8",
    )
    return file


def command(folder: Path, *words: str, stdin: str = "") -> str:
    done = sigap(*words, folder=folder, stdin=stdin)
    assert done.returncode == 0, done.stderr
    return done.stdout


def hire(folder: Path) -> dict[str, Account]:
    """The team, added and assigned from the command line."""
    for username, role in TEAM.items():
        name = f"{username.title()} Doe"
        command(
            folder, "people", "add", username, "--name", name, "--language", "en", stdin=PASSWORD
        )
        assert f"{username} is {role}" in command(folder, "people", "assign", username, role)
    refused = sigap("people", "assign", "dina", "KD", folder=folder)
    assert refused.returncode == 1
    assert "choose one of LEAD, MANAGER, ONCALL" in refused.stderr
    return {username: Account(username, PASSWORD, f"{username.title()} Doe") for username in TEAM}


def test_a_team_on_call_signs_its_own_three_steps_to_its_notice(
    tmp_path: Path, server: Server
) -> None:
    file = configured(tmp_path, server)
    accounts = hire(tmp_path)
    with running(file) as agent, browser() as chromium:
        note("Chromium", chromium.version)
        with server.hold_lock("orders", victims=3):
            (opened,) = until("an incident", agent.incidents, 120)
            number = opened["number"]
            assert number.startswith("INC-") and number.endswith("-0001"), number
            people = {
                username: Sitter(chromium, agent.address, account)
                for username, account in accounts.items()
            }
            _refused(people, number)
            people["dina"].sign(number, {"blast_radius": "Every customer."})
        until("the lock gone", lambda: not _red(agent), 120)
        _mitigate(people["edo"], number)
        _returned(people["lia"], number)
        _mitigate(people["dina"], number)
        _closed(people, number)
        for sitter in people.values():
            sitter.leave()
        assert [each["number"] for each in agent.incidents("closed")] == [number]
    assert "the ledger is whole" in command(tmp_path, "verify", "--lang", "en")


def _red(agent: Agent) -> bool:
    return any(each["red"] for each in agent.incidents())


def _refused(people: dict[str, Sitter], number: str) -> None:
    """The inbox shows it to those on call only; the others read whose turn it is."""
    assert people["dina"].waits_for_me() == people["edo"].waits_for_me() == [number]
    for other in ("lia", "max"):
        assert people[other].waits_for_me() == []
        assert "On-call engineer (ONCALL)" in people[other].refusal(number)
    expect(people["max"].page.locator("a[href='/people']")).to_have_count(1)
    people["dina"].open(number)
    expect(people["dina"].page.locator("a[href='/people']")).to_have_count(0)


def _mitigate(sitter: Sitter, number: str) -> None:
    sitter.sign(
        number,
        {"root_cause": "a session held a lock", "mitigation": "The session was ended."},
    )


def _returned(lead: Sitter, number: str) -> None:
    lead.sign(number, {"open_question": "Who opened that session?"}, "return")
    expect(lead.page.locator(".timeline")).to_contain_text("Who opened that session?")


def _closed(people: dict[str, Sitter], number: str) -> None:
    """The lead closes; the notice starts from what was done and says what its file says."""
    lead = people["lia"]
    page = lead.open(number)
    expect(page.locator('[name="form.what_happened"]')).to_have_value("The session was ended.")
    lead.sign(
        number, {"ticket": "OPS-17", "follow_ups": "Set idle_in_transaction_session_timeout."}
    )
    papers = people["max"].documents(number)
    assert set(papers) == {"Page", "Mitigation note", "Reopening note", "Closing notice"}
    reader = people["max"].page
    reader.goto(papers["Closing notice"])
    paper = reader.locator(".paper")
    for words in (
        f"{number} on shop is closed",
        "OPS-17",
        "To: Shop team",
        "Its cause: a session held a lock",
        "To keep it from happening again: Set idle_in_transaction",
        "Incident lead,",
        "Lia Doe",
        "Database team",
        "Berlin, ",
        "1 document",
        "Engineering manager",
    ):
        expect(paper).to_contain_text(words)
    reader.goto(papers["Mitigation note"])
    expect(reader.locator(".paper")).to_contain_text("Evidence:")
    expect(reader.locator(".paper .seal svg")).to_be_visible()
