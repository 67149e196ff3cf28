"""Accessibility of every page: landmarks, names, headings, focus, contrast, and no cut-off text.

Only what a machine can check (WCAG 2.2: 1.3.1, 1.4.3, 1.4.10, 2.4.7, 4.1.2).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Page

from incidents.model import Decision
from incidents.workflow.actions import Sign
from tests.browser.chromium import browser
from tests.browser.serving import served
from tests.incidents.web.hands import ANSWERS
from tests.incidents.web.world import CAST, PASSWORD, World, build

pytestmark = pytest.mark.slow

LOOK = r"""
() => {
  const found = [];
  const one = (what) => {
    const n = document.querySelectorAll(what).length;
    if (n !== 1) found.push(`${n} of ${what}`);
  };
  ['h1', 'main', 'header', 'footer'].forEach(one);
  if (!document.documentElement.lang) found.push('the page names no language');
  const ids = [...document.querySelectorAll('[id]')].map((e) => e.id);
  ids.filter((id, i) => ids.indexOf(id) !== i).forEach((id) => found.push(`id ${id} twice`));
  for (const name of ['aria-labelledby', 'aria-describedby'])
    for (const e of document.querySelectorAll(`[${name}]`))
      for (const id of e.getAttribute(name).trim().split(/\s+/))
        if (!document.getElementById(id)) found.push(`${name} leads nowhere: ${id}`);
  for (const e of document.querySelectorAll('nav, aside, section, [role=region]'))
    if (!e.hasAttribute('aria-label') && !e.hasAttribute('aria-labelledby')
        && !e.matches('.headline')) found.push(`${e.tagName} without a name`);
  let level = 0;
  for (const e of document.querySelectorAll('h1, h2, h3, h4, h5')) {
    const mine = Number(e.tagName[1]);
    if (mine > level + 1) found.push(`${e.tagName} after h${level}: ${e.textContent.trim()}`);
    level = mine;
  }
  for (const e of document.querySelectorAll('input, select, textarea')) {
    if (e.type === 'hidden') continue;
    if (!e.labels?.length && !e.getAttribute('aria-label'))
      found.push(`field ${e.name} without a label`);
  }
  for (const e of document.querySelectorAll('a[href], button, summary'))
    if (!e.textContent.trim() && !e.getAttribute('aria-label'))
      found.push(`${e.tagName} without words`);
  for (const e of document.querySelectorAll('a[href], button, summary, input, select, textarea')) {
    if (!e.checkVisibility() || e.type === 'hidden') continue;
    e.focus({focusVisible: true});
    if (getComputedStyle(e).outlineStyle === 'none') found.push(`${e.tagName} hides its focus`);
  }
  const rgb = (text) => {
    const c = document.createElement('canvas').getContext('2d', {willReadFrequently: true});
    c.fillStyle = text; c.fillRect(0, 0, 1, 1);
    return [...c.getImageData(0, 0, 1, 1).data];
  };
  const light = ([r, g, b]) => [r, g, b].map((v) => v / 255)
    .map((v) => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
    .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
  const ground = (e) => {
    for (let at = e; at; at = at.parentElement) {
      const colour = rgb(getComputedStyle(at).backgroundColor);
      if (colour[3] === 255) return colour;
    }
    return [255, 255, 255, 255];
  };
  const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (texts.nextNode()) {
    const e = texts.currentNode.parentElement;
    if (!texts.currentNode.textContent.trim() || !e.checkVisibility()) continue;
    if (e.closest('[disabled], .skip')) continue;
    const style = getComputedStyle(e);
    const [a, b] = [light(rgb(style.color)), light(ground(e))].sort((x, y) => y - x);
    const large = parseFloat(style.fontSize) >= 24;
    const ratio = (a + 0.05) / (b + 0.05);
    if (ratio < (large ? 3 : 4.5))
      found.push(`contrast ${ratio.toFixed(2)}: ${e.textContent.trim().slice(0, 40)}`);
  }
  const beyond = document.documentElement.scrollWidth - document.documentElement.clientWidth;
  if (beyond > 0) found.push(`${beyond} px beyond the edge`);
  return [...new Set(found)];
}
"""


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, World, str]]:
    world = build(tmp_path_factory.mktemp("office"))
    number = world.open_incident()
    with served(world.app(demo=True)) as address:
        yield address, world, number


@pytest.fixture(scope="module")
def window() -> Iterator[Browser]:
    with browser() as running:
        yield running


@pytest.fixture(params=["light", "dark"])
def page(
    request: pytest.FixtureRequest, place: tuple[str, World, str], window: Browser
) -> Iterator[Page]:
    """The head of agency, who sees every page, on a phone."""
    address, _, _ = place
    context = window.new_context(color_scheme=request.param, viewport={"width": 375, "height": 812})
    sheet = context.new_page()
    sheet.goto(f"{address}/signin")
    yield sheet
    context.close()


def sign_in(page: Page, role: str) -> None:
    page.fill("[name=username]", CAST[role].username)
    page.fill("[name=password]", PASSWORD)
    page.click("main button")
    page.wait_for_selector(".who")


def complaints(page: Page) -> list[Any]:
    """What is wrong, with everything unfolded."""
    for each in page.locator("details").all():
        each.evaluate("e => e.open = true")
    found: list[Any] = page.evaluate(LOOK)
    return found


@pytest.mark.parametrize("role", ["KD", "PP", "PA"])
def test_every_page_can_be_read_and_used_by_everybody(
    page: Page, place: tuple[str, World, str], role: str
) -> None:
    address, _, number = place
    found = {"/signin": complaints(page)}
    sign_in(page, role)
    for path in (
        "/", "/targets", "/targets/esurat-replica", "/report", "/archive", "/people",
        f"/incidents/{number}", f"/incidents/{number}/documents", "/nowhere",
    ):  # fmt: skip
        page.goto(f"{address}{path}")
        found[path] = complaints(page)
    assert {path: wrong for path, wrong in found.items() if wrong} == {}


@pytest.fixture(scope="module")
def document(place: tuple[str, World, str]) -> str:
    """The page of the document that step 1 leaves."""
    address, world, number = place
    signer = world.people.signer(CAST["PP"].username, world.clock.now.date())
    assert signer is not None
    version = world.desk.queries.incident(number).version
    world.desk.sign(number, Sign(1, Decision.APPROVE, ANSWERS[1], version), signer, world.clock.now)
    (document,) = world.desk.queries.documents(number)
    return f"{address}/incidents/{number}/documents/{document.id}"


def test_the_tables_of_a_document_stay_on_the_paper(page: Page, document: str) -> None:
    sign_in(page, "PP")
    page.goto(document)
    page.locator(".paper .wide td").first.evaluate("e => e.textContent = 'x'.repeat(400)")
    # the paper's own header and footer, inside its article, are no landmarks
    assert set(complaints(page)) == {"2 of header", "2 of footer"}
    page.emulate_media(media="print")
    cut = page.evaluate("document.documentElement.scrollWidth - innerWidth")
    assert cut <= 0


def test_role_codes_are_explained_where_they_stand_and_at_the_foot(
    page: Page, place: tuple[str, World, str]
) -> None:
    address, _, number = place
    sign_in(page, "PP")
    page.goto(f"{address}/incidents/{number}")
    titles = page.locator(".steps abbr").evaluate_all("all => all.map((e) => e.title)")
    assert len(titles) == 9
    assert "Pejabat Pengawas Seksi Pengelolaan Data dan Integrasi SI" in titles
    assert "Kepala Dinas" in page.locator(".legend").inner_text()


def test_on_a_phone_the_steps_stand_under_one_another_in_line(
    page: Page, place: tuple[str, World, str]
) -> None:
    address, _, number = place
    sign_in(page, "PP")
    page.goto(f"{address}/incidents/{number}")
    left = page.locator(".steps .name").evaluate_all(
        "all => all.map((e) => Math.round(e.getBoundingClientRect().left))"
    )
    assert len(left) == 9
    assert len(set(left)) == 1
    sizes = page.locator(".nav li a").evaluate_all(
        "all => all.map((e) => Math.round(e.getBoundingClientRect().width))"
    )
    assert max(sizes) - min(sizes) <= 1


def test_what_is_wrong_with_a_page_would_be_noticed(page: Page) -> None:
    page.goto("about:blank")
    page.set_content(
        """<html><body><header></header><main><h1>A</h1><h3>B</h3><section></section>
        <p style="color: #aaa; background: #fff">faint</p><input name="q"><button></button>
        <a href="/" style="outline: none">x</a><i aria-labelledby="none"></i>
        <b id="two"></b><b id="two"></b>
        <div style="width: 3000px">wide</div></main></body></html>"""
    )
    found = " | ".join(complaints(page))
    for words in (
        "0 of footer", "names no language", "H3 after h1", "SECTION without a name",
        "contrast 2.3", "field q without a label", "BUTTON without words", "A hides its focus",
        "leads nowhere: none", "id two twice", "px beyond the edge",
    ):  # fmt: skip
        assert words in found, found
