"""The time panel: which clock it shows, by which standard, and what is left or exceeded."""

from __future__ import annotations

from tests.incidents.web.conftest import SignedIn
from tests.incidents.web.hands import plain
from tests.incidents.web.world import World


def test_the_time_panel_says_which_clock_and_what_is_left_or_over(
    world: World, signed_in: SignedIn
) -> None:
    number = world.open_incident()
    world.clock.forward(minutes=20)
    page = plain(signed_in("PP").get(f"/incidents/{number}").text)
    assert "Langkah 1 Standar langkah ini: 30 menit waktu kerja Batas 08.35 WITA" in page
    assert "Terpakai 20 menit waktu kerja, sisa 10 menit" in page
    assert "Seluruh prosedur Standar: 3 hari kerja, dihitung 22 jam 30 menit waktu kerja" in page
    assert "Terpakai 20 menit waktu kerja, sisa 22 jam 10 menit" in page
    assert "Sisa ruang dari keseluruhan, bila setiap langkah berikutnya" in page
    assert "Paling lambat menurut hitungan hari kerja akhir hari kerja ke-3" in page
    world.clock.forward(minutes=30)
    page = plain(signed_in("PP").get(f"/incidents/{number}").text)
    assert "Terpakai 50 menit waktu kerja, lewat 20 menit" in page
