"""A verdict on one measure of one subject of one target, and the fingerprint that names it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from probes.model import NOTHING_SAID, Evidence, Severity, Text


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """Identifies a finding over all readings and restarts.

    ``str()`` is the form that is stored, indexed and exported: ``target/probe/measure/subject``.
    """

    target: str  # without a slash, as are probe and measure
    probe: str
    measure: str
    subject: str = ""

    def __str__(self) -> str:
        return f"{self.target}/{self.probe}/{self.measure}/{self.subject}"

    @classmethod
    def parse(cls, text: str) -> Fingerprint:
        """The fingerprint that ``str()`` wrote. Raises ``ValueError``."""
        parts = text.split("/", 3)
        if len(parts) != 4:
            raise ValueError(f"not a fingerprint: {text!r}")
        return cls(*parts)


@dataclass(frozen=True, slots=True)
class Finding:
    """The present verdict on one measure of one subject of one target.

    The same verdict is stated at every reading.
    """

    target: str
    probe: str
    measure: str
    subject: str
    severity: Severity
    title: Text
    hint: Text
    family: str
    at: datetime  # the reading this verdict rests on
    since: datetime  # the first reading of the present run of bad (or good) ones
    value: float | None = None
    limit: float | None = None
    unit: str = ""
    opens: bool = False  # severe enough to open an incident
    about: Mapping[str, str] = field(default_factory=dict)
    """engine, cluster, role, application, agency, host, agent: from the configuration; role also as
    learned or seen; if it is not known, leader: the other server that is the primary.
    """
    runbook: Text = NOTHING_SAID
    evidence: Evidence | None = None
    cause: str = ""
    """The reason, if one measure has several: the kind of failure for ``up``."""
    headline: Text = NOTHING_SAID  # without figures; empty: the title serves
    seen_last: Text = NOTHING_SAID  # of one that is clear: what its last bad reading said, if known

    @property
    def fingerprint(self) -> Fingerprint:
        """What the finding is about, whatever its verdict."""
        return Fingerprint(self.target, self.probe, self.measure, self.subject)

    @property
    def name(self) -> Text:
        """What the trouble is called while its figures change."""
        return self.headline if self.headline.en else self.title
