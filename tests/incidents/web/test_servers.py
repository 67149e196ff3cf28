"""Pages of the monitored servers."""

from __future__ import annotations

from incidents.web.display.target_health import ProbeHealth, ProbeState, TargetHealth
from probes.model import Failure, FailureKind
from probes.words.failure_text import why
from tests.incidents.web.conftest import SignedIn
from tests.incidents.web.hands import plain
from tests.incidents.web.world import World
from tests.support.words import both


def test_a_blind_probe_is_shown_as_such_with_the_line_that_mends_it(signed_in: SignedIn) -> None:
    page = plain(signed_in("AJ").get("/targets/esurat-replica").text)
    assert "Tidak terlihat" in page
    assert "GRANT SLAVE MONITOR ON *.* TO 'sigap'@'localhost';" in page


def test_the_list_of_servers_says_each_in_one_line_the_worst_first(signed_in: SignedIn) -> None:
    page = plain(signed_in("AJ").get("/targets").text)
    places = [page.index(name) for name in ("simpeg-primary", "esurat-replica", "arsip")]
    assert places == sorted(places)
    assert "PostgreSQL 15.18 · primer · 10.0.0.11:5432" in page
    assert "Sesi 4711 menahan 12 sesi" in page
    assert "1 dari 2 pertanyaan tanpa jawaban" in page
    assert "Tidak ada. 2 pertanyaan terjawab." in page
    assert "GRANT SLAVE MONITOR" not in page, "how to mend it is on the server's own page"


def test_a_server_page_shows_every_question_the_worst_first(signed_in: SignedIn) -> None:
    page = plain(signed_in("AJ").get("/targets/simpeg-primary").text)
    assert page.index("blocked_sessions") < page.index("availability")
    assert "Akhiri sesi 4711." in page
    assert "blocked_seconds 95,4 detik" in page


def test_why_a_probe_cannot_look_is_said_in_the_readers_language(
    world: World, signed_in: SignedIn
) -> None:
    failures = {
        "backup_age": Failure(
            FailureKind.UNSUPPORTED,
            "no path to the backups is configured",
            said=both("lokasi cadangan belum diatur", "no path to the backups is configured"),
        ),
        "restart": Failure(FailureKind.BLIND, "permission denied for view x"),
    }
    world.health[:] = [
        TargetHealth(
            "db1",
            "postgresql",
            probes=tuple(
                ProbeHealth(
                    name, both("Tanya?", "Ask?"), ProbeState.BLIND, world.clock.now,
                    message=failure.message, why=why(failure),
                )
                for name, failure in failures.items()
            ),
        )
    ]  # fmt: skip
    page = plain(signed_in("AJ").get("/targets/db1").text)
    assert "lokasi cadangan belum diatur" in page
    assert "no path to the backups" not in page
    assert "hak atau sarananya kurang (permission denied for view x)" in page
