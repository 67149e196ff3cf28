"""What a person sees after signing."""

from __future__ import annotations

from tests.incidents.web.conftest import SignedIn
from tests.incidents.web.hands import ANSWERS, plain, post_sign
from tests.incidents.web.world import World


def test_who_signed_is_told_so_and_what_comes_next(world: World, signed_in: SignedIn) -> None:
    number = world.open_incident()
    client = signed_in("PP")
    page = plain(
        client.get(
            post_sign(client, number, {**ANSWERS[1], "reported_at": "2026-11-23T08:05"}).headers[
                "location"
            ]
        ).text
    )
    assert (
        "Tanda tangan Anda sudah tercatat. Dokumennya: Form Laporan . Berikutnya: langkah 2" in page
    )
    other = plain(signed_in("PA").get(f"/incidents/{number}?signed=1").text)
    assert "sudah tercatat" not in other, "the words are for who signed"
