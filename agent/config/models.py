"""Strict pydantic models of agent.yaml; an unknown key is an error.

Each model checks one value at a time; checks that need the machine (files, the registry of probes)
are in ``agent.config.targets``. Durations are text with a unit and become seconds.
"""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    WithJsonSchema,
    field_validator,
)

from probes.i18n import INDONESIAN, languages

_DURATION = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h|d)")
_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_DURATION_PATTERN = r"^\d+(\.\d+)?(ms|s|m|h|d)$|^\$\{.*\}$"
_WEB = re.compile(r"https?://[^\s/?#]+[^\s?#]*")
_LISTEN = re.compile(r"(?:\[(?P<six>[0-9a-fA-F:]+)\]|(?P<host>[^\s:\[\]]*)):(?P<port>\d{1,5})")


def seconds(value: Any) -> float:
    """``15s``, ``500ms``, ``5m``, ``1h`` or ``1d`` in seconds. Raises ``ValueError``."""
    match = _DURATION.fullmatch(value.strip()) if isinstance(value, str) else None
    if match is None:
        raise ValueError(f"must be a duration with its unit, e.g. 15s, 5m or 1h, not {value!r}")
    length = float(match[1]) * _UNITS[match[2]]
    if length < 0.1:
        raise ValueError(f"must be at least 100ms, not {value}")
    return length


def _number(value: Any) -> Any:
    """A number from an environment variable is text; convert it."""
    if isinstance(value, str):
        try:
            return float(value)
        except ValueError:
            raise ValueError(f"must be a number, not {value!r}") from None
    return value


def _count(value: Any) -> Any:
    if isinstance(value, str) and value.isascii() and value.isdecimal():
        return int(value)
    return value


def _flag(value: Any) -> Any:
    return {"true": True, "false": False}.get(value, value) if isinstance(value, str) else value


def _text_json(kind: str) -> dict[str, Any]:
    return {"anyOf": [{"type": kind}, {"type": "string", "pattern": r"^\$\{.*\}$"}]}


Duration = Annotated[
    float,
    BeforeValidator(seconds),
    WithJsonSchema({"type": "string", "pattern": _DURATION_PATTERN, "examples": ["15s", "5m"]}),
]
Number = Annotated[
    float,
    BeforeValidator(_number),
    Field(allow_inf_nan=False),
    WithJsonSchema(_text_json("number")),
]
Count = Annotated[
    int, BeforeValidator(_count), Field(ge=1, le=1000), WithJsonSchema(_text_json("integer"))
]
Flag = Annotated[bool, BeforeValidator(_flag), WithJsonSchema(_text_json("boolean"))]
Name = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?$")]
LabelName = Annotated[str, StringConstraints(pattern=r"^[a-zA-Z_][a-zA-Z0-9_]*$")]
Words = Annotated[str, StringConstraints(strip_whitespace=True, max_length=300)]


def _known_language(value: str) -> str:
    if value not in languages():
        known = " or ".join(map(repr, languages()))
        raise ValueError(f"must be {known}, not {value!r}")
    return value


Language = Annotated[
    str, AfterValidator(_known_language), WithJsonSchema({"enum": list(languages())})
]


class Strict(BaseModel):
    """Base of every section: no unknown key, no type conversion, immutable."""

    model_config = ConfigDict(
        extra="forbid", strict=True, frozen=True, use_attribute_docstrings=True
    )


class AgentSection(Strict):
    """The process itself."""

    name: Name = ""
    """Name of this agent in logs and incidents; default: the host's name."""
    listen: str = "127.0.0.1:9480"
    """Address and port of the pages, the API and /metrics, e.g. 127.0.0.1:9480 or [::1]:9480."""
    public_url: Words = ""
    """Address of the pages as readers of a letter reach them, for its QR code."""
    interval: Duration = 15.0
    """How often a probe runs that has no interval of its own."""
    deadline: Duration | None = None
    """When a probe's call is given up; default: half the interval, at most 5s."""
    language: Language = INDONESIAN
    """Language of the command line's output."""
    state: str | None = None
    """Folder for learned members and history; default: beside an SQLite store, else the service's
    own.
    """
    learn_after: Duration = 600.0
    """How long a standby, slot, channel or volume must be seen before its loss is reported."""

    @field_validator("listen")
    @classmethod
    def _listenable(cls, value: str) -> str:
        match = _LISTEN.fullmatch(value)
        if match is None or int(match["port"]) > 65535:
            raise ValueError(f"must be address:port, e.g. 127.0.0.1:9480, not {value!r}")
        return value

    @field_validator("public_url")
    @classmethod
    def _reachable(cls, value: str) -> str:
        if value and not _WEB.fullmatch(value):
            raise ValueError(
                f"must begin with https:// or http://, e.g. https://sigap.kaltimprov.go.id, "
                f"not {value!r}"
            )
        return value


class OfficeSection(Strict):
    """Letterhead and signature block of letters."""

    government: Words | None = None
    """First line of the letterhead, e.g. PEMERINTAH PROVINSI KALIMANTAN TIMUR."""
    agency: Words | None = None
    """The office, e.g. DINAS KOMUNIKASI DAN INFORMATIKA."""
    address: Words | None = None
    """Street, town, postal code."""
    contacts: Words | None = None
    """Telephone, e-mail, web page, in one line."""
    place: Words | None = None
    """Where letters are dated, e.g. Samarinda."""
    on_behalf: Words | None = None
    """Above the signer's title, e.g. a.n. Kepala Dinas; left out: as the procedure says."""
    signer_position: Words | None = None
    """Title in the signature block, e.g. Kepala Bidang TIK; left out: as the procedure says."""
    signer_name: Words | None = None
    """Name with titles."""
    signer_rank: Words | None = None
    """Pangkat/golongan."""
    signer_nip: Words | None = None
    """NIP."""
    nature: Words | None = None
    """Sifat of a letter whose form does not ask for it; left out: as the procedure says."""
    copies: list[Words] | None = None
    """Tembusan of a letter whose form names nobody; left out: as the procedure says."""
    sop_number: Words | None = None
    """Number of the office's SOP; left out prints as not yet filled in."""
    sop_title: Words | None = None
    """Title of the office's SOP."""


class LimitsSection(Strict):
    """A target's own limits for one measure."""

    warning: Number | None = None
    """Value from which the measure is a warning."""
    critical: Number | None = None
    """Value from which the measure is critical."""
    raise_after: Count | None = None
    """Bad readings in a row that raise the finding."""
    clear_after: Count | None = None
    """Good readings in a row that clear it."""
    opens: Literal["warning", "critical"] | None = None
    """The severity from which an incident opens."""


class TuningSection(Strict):
    """Changes to one probe on a target."""

    enabled: Flag = True
    """false: this probe does not run on this target."""
    every: Duration | None = None
    """How often it runs."""
    thresholds: dict[str, LimitsSection] = {}
    """Limits by measure."""


class ExpectsSection(Strict):
    """Members that must be present; members not listed are learned (`sigap learn` shows them)."""

    role: Literal["primary", "replica"] | None = None
    """The same as the target's `role`."""
    standbys: list[Words] = []
    """Names of the standbys that must stream from this server."""
    slots: list[Words] = []
    """Replication slots that must exist."""
    channels: list[Words] = []
    """Replication channels that must exist."""
    members: list[Words] = []
    """Members of its Galera cluster or its group, as the server itself lists them: host:port."""
    volumes: list[Words] = []
    """Mount points that must exist, e.g. /srv/pg_wal."""
    upstream: Words = ""
    """The server this replica must follow: host or host:port, as the server itself reports it."""


class WindowSection(Strict):
    """Planned work: no incidents open meanwhile; what still fails at its end opens then."""

    name: Words
    """The planned work, e.g. monthly patching."""
    targets: list[Name] = []
    """Applies to these targets; without targets and clusters: to all."""
    clusters: list[Words] = []
    """Applies to these clusters."""
    from_: Annotated[Words, Field(alias="from")] = ""
    """One-off: when it begins, e.g. 2026-11-28 22:00."""
    to: Words = ""
    """One-off: when it ends."""
    days: list[Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]] = []
    """Recurring: on these days; default: every day."""
    at: Words = ""
    """Recurring: when it begins, e.g. 22:00."""
    lasts: Duration | None = None
    """Recurring: how long, e.g. 2h."""
    zone: Words = "Asia/Makassar"
    """Time zone of these times."""


class TargetSection(Strict):
    """One monitored server."""

    name: Name
    """Unique; the label `target` of every metric."""
    engine: str
    """postgresql, mysql (MariaDB is detected) or pgbouncer."""
    url: str
    """postgresql://user@host:port/database, mysql://user@host:port/, pgbouncer://user@host:port/;
    a Unix socket: ?host=/dir. A pgbouncer target's database: whose pool the logins go through."""
    password: str | None = None
    """Only as ${VARIABLE}; prefer password_file."""
    password_file: str | None = None
    """File that holds the password and nothing else; readable by its owner alone."""
    cluster: Words = ""
    """Name shared by servers that replicate from one another."""
    role: Literal["primary", "replica"] | None = None
    """The expected role; default: learned."""
    application: Words = ""
    """The application that uses it, e.g. SIMPEG."""
    agency: Words = ""
    """The agency that owns the application."""
    labels: dict[LabelName, Words] = {}
    """Free labels for this target."""
    volumes: dict[Name, Annotated[str, StringConstraints(pattern=r"^/")]] = {}
    """Directories to monitor besides those the server reports, by purpose: {wal: /srv/pg_wal}."""
    probes: dict[str, TuningSection] = {}
    """Changes to single probes, by name."""
    expects: ExpectsSection = ExpectsSection()
    """Members of this server that are reported when missing."""
    maintenance: list[WindowSection] = []
    """Planned work on this server only."""
    local: Flag | None = None
    """Whether its files are on this machine; default: yes for loopback and Unix sockets."""


class RootSection(Strict):
    """agent.yaml as a whole."""

    agent: AgentSection = AgentSection()
    """The process itself."""
    store: str | None = None
    """sqlite:///path or postgresql://…; without it: probes and /metrics only, no incidents."""
    store_password_file: str | None = None
    """File that holds the password of a PostgreSQL store."""
    procedure: str = "kaltim"
    """Name of a shipped procedure, or the path of a procedure file."""
    calendar: str = "kaltim"
    """Name of a shipped working calendar, or the path of a calendar file."""
    office: OfficeSection = OfficeSection()
    """Letterhead and signature block."""
    maintenance: list[WindowSection] = []
    """Planned work: no incidents open meanwhile."""
    targets: list[TargetSection] = []
    """The monitored servers."""
