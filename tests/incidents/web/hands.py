"""Actions on pages without a browser: read a hidden field, fill in a form, sign."""

from __future__ import annotations

import html
import re
from collections.abc import Mapping
from typing import Any

from fastapi.testclient import TestClient
from httpx2 import Response

from incidents.model import Decision
from incidents.workflow.actions import Sign
from tests.incidents.web.world import CAST, World

ANSWERS: Mapping[int, Mapping[str, Any]] = {
    1: {
        "title": "SIMPEG terkunci",
        "source": "probe",
        "reported_at": "2026-11-23T08:05:00+08:00",
        "application": "SIMPEG",
        "agency": "BKD",
        "description": "Sesi menahan sesi lain.",
        "impact": "Pegawai tidak dapat menyimpan.",
    },
    2: {"check": "Benar.", "urgency": "segera", "breach": False, "disposition": "Selesaikan."},
    3: {"direction": "Akhiri sesinya."},
    4: {
        "participants": ["andi"],
        "cause": "Transaksi terbuka.",
        "action": "Sesi diakhiri.",
        "change": "tidak ada",
        "backup": True,
        "repaired_at": "2026-11-23T09:00:00+08:00",
    },
    5: {"condition": "Normal.", "recovered": True},
    6: {"statement": "Terlampir."},
    7: {"verification": "Sudah dicoba."},
    8: {"check": "Lengkap."},
    9: {"urgency": "biasa", "recipient": "BKD", "summary": "Sudah pulih."},
}
"""A form for every step, good enough to approve."""


def hidden(page: str, name: str) -> str:
    """The value of a hidden field of a page."""
    found = re.search(rf'name="{name}" value="([^"]*)"', page)
    assert found, f"no hidden {name}"
    return html.unescape(found[1])


def plain(page: str) -> str:
    """A page's text without its marks."""
    return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", page)).split())


def token(client: TestClient) -> str:
    return hidden(client.get("/report").text, "csrf")


def post_sign(
    client: TestClient, number: str, answers: Mapping[str, str], decision: str = "approve"
) -> Response:
    """Read the incident's page, then post its form with these answers."""
    page = client.get(f"/incidents/{number}").text
    return client.post(f"/incidents/{number}/sign", data=form_of(page, answers, decision))


def form_of(page: str, answers: Mapping[str, str], decision: str = "approve") -> dict[str, str]:
    """What the browser would post from that page."""
    names = ("csrf", "step", "version", "seen")
    return {
        **{name: hidden(page, name) for name in names},
        **{f"form.{name}": value for name, value in answers.items()},
        "decision": decision,
    }


def sign_up_to(world: World, number: str, last: int) -> None:
    """Have the right people approve every step up to and including ``last``."""
    roles = {1: "PP", 2: "PA", 3: "PW", 4: "PP", 5: "AJ", 6: "PP", 7: "PW", 8: "PA", 9: "PP"}
    while (
        world.desk.queries.incident(number).open
        and world.desk.queries.incident(number).step <= last
    ):
        incident = world.desk.queries.incident(number)
        step = incident.step
        if step == 5:
            world.heal()
        world.clock.forward(minutes=5)
        signer = world.people.signer(CAST[roles[step]].username, world.clock.now.date())
        assert signer is not None
        action = Sign(
            step, Decision.APPROVE, ANSWERS[step], world.desk.queries.incident(number).version
        )
        world.desk.sign(number, action, signer, world.clock.now)
