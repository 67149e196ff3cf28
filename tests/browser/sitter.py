"""One person at one browser: the actions a hand can do on the pages."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from playwright.sync_api import APIResponse, Browser, BrowserContext, Page, expect

Answer = str | bool | Sequence[str]


@dataclass(frozen=True)
class Account:
    """Credentials of a person, and the name that documents print."""

    username: str
    password: str
    name: str


class Sitter:
    """A person signed in. Checks that each page came without an error of the page itself."""

    def __init__(self, browser: Browser, base_url: str, account: Account) -> None:
        self.account = account
        self.base_url = base_url
        self.context: BrowserContext = browser.new_context(
            locale="id-ID", viewport={"width": 1280, "height": 900}
        )
        self.page: Page = self.context.new_page()
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("console", self._listen)
        self.complaints: list[str] = []
        self._sign_in()

    def _listen(self, message: object) -> None:
        kind, text = getattr(message, "type", ""), getattr(message, "text", "")
        # a refused form answers 4xx on purpose, and the browser logs that as an error
        if kind == "error" and "the server responded with a status of 4" not in text:
            self.complaints.append(text)

    def _sign_in(self) -> None:
        self.page.goto(f"{self.base_url}/signin")
        self.page.fill("[name=username]", self.account.username)
        self.page.fill("[name=password]", self.account.password)
        self.page.click("main button")
        expect(self.page.locator(".who strong")).to_have_text(self.account.name)

    def open(self, number: str) -> Page:
        """The page of an incident."""
        self.page.goto(f"{self.base_url}/incidents/{number}")
        return self.page

    def waits_for_me(self) -> list[str]:
        """Numbers of the incidents the inbox shows first."""
        self.page.goto(f"{self.base_url}/")
        links = self.page.locator("section[aria-labelledby=mine] td.title a").all()
        return [str(link.get_attribute("href")).rsplit("/", 1)[-1] for link in links]

    def refusal(self, number: str) -> str:
        """The sentence shown in place of the form."""
        self.open(number)
        expect(self.page.locator("#sign form.sheet")).to_have_count(0)
        return self.page.locator("#sign .notice").inner_text().strip()

    def fill(self, answers: Mapping[str, Answer]) -> None:
        """Type into the form of the waiting step."""
        for name, value in answers.items():
            control = f'[name="form.{name}"]'
            if isinstance(value, bool):
                self.page.check(f'{control}[value="{"yes" if value else "no"}"]')
            elif not isinstance(value, str):
                for each in value:
                    self.page.check(f'{control}[value="{each}"]')
            elif self.page.locator(f"{control}[type=radio]").count():
                self.page.check(f'{control}[value="{value}"]')
            else:
                self.page.fill(control, value)

    def press(self, decision: str = "approve") -> None:
        """The button with that decision."""
        with self.page.expect_navigation():
            self.page.click(f'#sign button[name=decision][value="{decision}"]')

    def sign(self, number: str, answers: Mapping[str, Answer], decision: str = "approve") -> None:
        """Open, fill, press; the signature must be taken."""
        self.open(number)
        self.fill(answers)
        self.press(decision)
        problems = self.page.locator(".errors").all_inner_texts()
        assert not problems, f"{self.account.username}: {problems}"
        assert re.search(rf"/incidents/{number}(\?|$)", self.page.url), self.page.url

    def force(self, number: str, step: int, version: int) -> APIResponse:
        """Post a signature without the page's form, as a script would."""
        self.open(number)
        token = self.page.locator("input[name=csrf]").first.get_attribute("value")
        return self.context.request.post(
            f"{self.base_url}/incidents/{number}/sign",
            headers={"origin": self.base_url},
            form={
                "csrf": str(token),
                "step": str(step),
                "version": str(version),
                "seen": "0",
                "decision": "approve",
            },
            max_redirects=0,
        )

    def documents(self, number: str) -> dict[str, str]:
        """Titles of the incident's documents -> their addresses; a later one of a title wins."""
        self.page.goto(f"{self.base_url}/incidents/{number}/documents")
        links = self.page.locator("td.title a").all()
        return {link.inner_text(): f"{self.base_url}{link.get_attribute('href')}" for link in links}

    def leave(self) -> None:
        """Close the browser window; nothing may have been wrong with any page."""
        self.context.close()
        assert not self.complaints, self.complaints
