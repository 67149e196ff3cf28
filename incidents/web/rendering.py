"""Shared context of every page: desk, people, and templates in each language.

A page is rendered in one language and one zone, from values passed in. ``Site.render`` is the only
way a template becomes a response.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from functools import lru_cache
from pathlib import Path
from typing import Any, Protocol
from zoneinfo import ZoneInfo

import jinja2
from fastapi import Request
from fastapi.responses import HTMLResponse

from incidents.desk import Desk
from incidents.documents.model import Office
from incidents.model import Signer
from incidents.people.accounts import People
from incidents.people.sessions import Sessions
from incidents.procedure import limits
from incidents.procedure.load import Right
from incidents.web.display.advice import Guide, guide
from incidents.web.display.formatting import Sayer
from incidents.web.display.target_health import TargetHealth
from incidents.web.languages import offered
from probes import Text
from probes.i18n import catalogue, languages
from probes.i18n.headings import heading

WEB = Path(__file__).parent
PAPERS = WEB.parent / "documents"


class Reader(Protocol):
    """What a page knows about the visitor."""

    @property
    def language(self) -> str: ...
    @property
    def now(self) -> datetime: ...
    @property
    def signer(self) -> Signer | None: ...
    @property
    def csrf(self) -> str: ...


@lru_cache(maxsize=1)
def _asset_version() -> str:
    digest = hashlib.sha256()
    for path in sorted((WEB / "static").iterdir()):
        digest.update(path.read_bytes())
    return digest.hexdigest()[:12]


def _environment(language: str) -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader([WEB / "templates", PAPERS]),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        extensions=["jinja2.ext.i18n"],
    )
    # the i18n extension adds this method at run time; jinja2's types do not know it
    install: Any = environment.install_gettext_translations  # type: ignore[attr-defined]
    install(catalogue(language), newstyle=True)
    return environment


@dataclass(frozen=True)
class Site:
    """The desk and people, for the pages."""

    desk: Desk
    people: People
    sessions: Sessions
    office: Office
    targets: Callable[[], Sequence[TargetHealth]]
    clock: Callable[[], datetime]
    zone: ZoneInfo
    demo: bool = False
    base_url: str = ""  # as printed in QR codes; "" takes the address the reader used
    environments: Mapping[str, jinja2.Environment] = field(
        default_factory=lambda: {language: _environment(language) for language in languages()}
    )

    def today(self, now: datetime) -> date:
        """The date on which roles are checked."""
        return now.astimezone(self.zone).date()

    def may_see_people(self, signer: Signer | None) -> bool:
        """Whether this person may see who holds which role."""
        able = self.desk.present_procedure.with_right(Right.SEE_PEOPLE)
        return signer is not None and any(signer.holds(role.key) for role in able)

    def address(self, request: Request) -> str:
        """Where this site is reached, without a slash at the end."""
        return (self.base_url or str(request.base_url)).rstrip("/")

    def words(self, language: str, source: str) -> str:
        """One catalogue sentence outside of a template."""
        return catalogue(language).gettext(source)

    def render(
        self, request: Request, visit: Reader, template: str, status: int = 200, **values: object
    ) -> HTMLResponse:
        """A page for this visitor in their language."""
        return HTMLResponse(
            self.html(request, visit, template, visit.language, **values), status_code=status
        )

    def html(
        self, request: Request, visit: Reader, template: str, language: str, **values: object
    ) -> str:
        """The words of a template, in ``language`` whatever the visitor's own may be."""

        def said(text: Text | Mapping[str, str] | str) -> str:
            return said_in(text, language)

        def column_head(name: Mapping[str, str] | str) -> str:
            return said_in(heading(name) if isinstance(name, str) else name, language)

        def advice(text: Text | Mapping[str, str] | str) -> Guide:
            return guide(said_in(text, language))

        def prose(name: str) -> str:
            return said_in(name, language)

        path = request.url.path
        return (
            self.environments[language]
            .get_template(template)
            .render(
                say=Sayer(language, self.zone, visit.now),
                t=said,
                advice=advice,
                prose=prose,
                column_head=column_head,
                signer=visit.signer,
                role_titles={role.key: role.title for role in self.desk.present_procedure.roles},
                sees_people=self.may_see_people(visit.signer),
                csrf_token=visit.csrf,
                here=path,
                next_path=path if request.method == "GET" else "/",
                office=self.office,
                limits=limits,
                demo=self.demo,
                languages=offered(),
                asset_version=_asset_version(),
                **values,
            )
        )


def said_in(text: Text | Mapping[str, str] | str, language: str) -> str:
    """A ``Text``, or one that was kept as JSON, or a plain string, in one language."""
    if isinstance(text, Text):
        return text.said_in(language)
    if isinstance(text, Mapping):
        return Text.written({code: said for code, said in text.items() if said}).said_in(language)
    return str(text)
