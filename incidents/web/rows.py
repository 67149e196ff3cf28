"""What a list of incidents shows beside what the row itself says."""

from __future__ import annotations

from incidents.views import IncidentRow
from incidents.web.site import Site
from probes import Text


class Rows:
    """Names of roles for the rows of one page; each procedure is asked for once."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._titles: dict[str, Text] = {}

    def turn(self, row: IncidentRow) -> Text:
        """The role whose turn it is, in words."""
        if row.role not in self._titles:
            self._titles[row.role] = self._site.procedure_of(row.number).role(row.role).title
        return self._titles[row.role]
