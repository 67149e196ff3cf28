"""The incident's heading while the fault is present, while it changes, and after it healed."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from incidents.web.display.target_health import FindingView, ProbeHealth, ProbeState, TargetHealth
from probes import Finding, Severity
from probes.judge import Judge
from probes.model import Measure, Measurement, Probe, Reading, Threshold
from tests.incidents.web.conftest import SignedIn
from tests.incidents.web.hands import plain
from tests.incidents.web.world import MONDAY, World, lock_finding
from tests.support.builders import a_target
from tests.support.words import both

WAITING = Probe(
    "waiting",
    "postgresql",
    both("Adakah yang menunggu?", "Does anybody wait?"),
    (Measure("waiting_seconds", "seconds", "The longest wait."),),
    (
        Threshold(
            "waiting_seconds",
            title=both("{target}: menunggu {value}", "{target}: waits for {value}"),
            headline=both("{target}: sesi menunggu", "{target}: sessions wait"),
            hint=both("Akhiri sesinya.", "End the session."),
            family="locks",
            critical=10.0,
            clear_after=1,
        ),
    ),
    read=lambda session: (),
)


def stated(judge: Judge, seconds: float, after: float) -> Finding:
    """The judge's finding for a wait of ``seconds``, so long after the first."""
    at = MONDAY + timedelta(seconds=after)
    reading = Reading("db1", "waiting", at, 0.01, (Measurement("waiting_seconds", seconds),))
    return judge.assess(a_target("db1"), WAITING, reading).findings[0]


def seen_now(finding: Finding) -> TargetHealth:
    """The same finding as the agent has it in memory."""
    view = FindingView(
        finding.severity, finding.title, finding.hint, finding.since,
        fingerprint=str(finding.fingerprint),
    )  # fmt: skip
    probe = ProbeHealth(
        "waiting", WAITING.question, ProbeState.CRITICAL, finding.at, 0.01, findings=(view,)
    )
    return TargetHealth("db1", "postgresql", probes=(probe,))


def test_the_title_names_cause_and_object_and_the_figures_stand_below(
    world: World, signed_in: SignedIn
) -> None:
    judge = Judge()
    number = world.desk.report(stated(judge, 13, 0), world.clock.now).number
    assert world.desk.queries.incident(number).title == both(
        "db1: sesi menunggu", "db1: sessions wait"
    )
    page = plain(signed_in("PP").get(f"/incidents/{number}").text)
    assert "db1: menunggu 13 detik ( baru saja )" in page
    world.clock.forward(minutes=10)
    world.health.append(seen_now(stated(judge, 95, 600)))
    page = plain(signed_in("PP").get(f"/incidents/{number}").text)
    assert "db1: menunggu 1 menit 35 detik (per 08.15 WITA" in page
    assert "menunggu 13 detik" in page  # what it was at the opening stays in the timeline
    assert page.index("menunggu 1 menit 35 detik") < page.index("menunggu 13 detik")


def test_what_has_healed_urges_nobody_and_says_since_when_and_what_was_seen_last(
    world: World, signed_in: SignedIn
) -> None:
    judge = Judge()
    number = world.desk.report(stated(judge, 13, 0), world.clock.now).number
    stated(judge, 95, 600)
    world.clock.forward(minutes=11)
    world.desk.report(stated(judge, 0, 660), world.clock.now)
    world.clock.forward(minutes=5)
    text = signed_in("PP").get(f"/incidents/{number}").text
    page = plain(text)
    assert "<h1>Pulih: db1: sesi menunggu</h1>" in text
    assert (
        "Pulih sejak 08.16 WITA 5 menit lalu . Terakhir terlihat: db1: menunggu 1 menit 35 detik"
        in page
    )
    assert "Yang dilakukan: Akhiri sesinya." not in page
    assert "Anjuran saat masih merah Akhiri sesinya." in page


def test_what_was_seen_last_is_not_said_where_it_only_repeats_the_name(
    world: World, signed_in: SignedIn
) -> None:
    number = world.open_incident()
    world.heal()
    page = plain(signed_in("PP").get(f"/incidents/{number}").text)
    assert "Pulih sejak" in page
    assert "Pemantauan menyatakan pulih: Sesi 4711" in page
    assert "Terakhir terlihat" not in page


def test_what_returns_urges_again(world: World, signed_in: SignedIn) -> None:
    judge = Judge()
    number = world.desk.report(stated(judge, 13, 0), world.clock.now).number
    world.desk.report(stated(judge, 0, 60), world.clock.now)
    world.desk.report(stated(judge, 44, 120), world.clock.now)
    text = signed_in("PP").get(f"/incidents/{number}").text
    assert "<h1>db1: sesi menunggu</h1>" in text
    assert "db1: menunggu 44 detik (per" in plain(text)
    assert "Akhiri sesinya." in plain(text)


def test_with_the_cause_healed_the_head_speaks_of_the_symptom_that_is_left(
    world: World, signed_in: SignedIn
) -> None:
    number = world.open_incident()
    crowd = both("Dua belas sesi menunggu", "Twelve sessions wait")
    late = replace(
        lock_finding(world.clock.now),
        measure="blocked_sessions",
        title=crowd,
        severity=Severity.WARNING,
        opens=False,
    )
    assert world.desk.report(late, world.clock.now).number == number
    world.heal()
    page = plain(signed_in("PP").get(f"/incidents/{number}").text)
    assert "Dua belas sesi menunggu ( baru saja )" in page
    assert "Pulih: " not in page


def test_an_event_written_before_there_were_headlines_still_has_a_title(world: World) -> None:
    number = world.desk.report(lock_finding(world.clock.now), world.clock.now).number
    incident = world.desk.queries.incident(number)
    assert incident.title == lock_finding(world.clock.now).title == incident.troubles[0].name


def test_a_reading_of_this_very_moment_is_never_said_to_come(
    world: World, signed_in: SignedIn
) -> None:
    judge = Judge()
    number = world.desk.report(stated(judge, 13, 0), world.clock.now).number
    world.health.append(seen_now(stated(judge, 14, 1)))  # read while the page was asked for
    page = plain(signed_in("PP").get(f"/incidents/{number}").text)
    assert "db1: menunggu 14 detik ( baru saja )" in page
