"""Request and response types of the API; they become its OpenAPI description."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from incidents.procedure import limits


class Taken(BaseModel):
    """A request body: unknown keys are refused, so that a typing error is not lost."""

    model_config = ConfigDict(extra="forbid")


class Said(BaseModel):
    """One thing said in both languages."""

    id: str
    en: str


class FieldError(BaseModel):
    """What is wrong with one field."""

    message: str
    message_id: str


class ErrorDetail(BaseModel):
    """Why a request was not done."""

    code: str = Field(description="a word for programs: role, separation, stale, form …")
    message: str = Field(description="the sentence in English")
    message_id: str = Field(description="the same sentence in Bahasa Indonesia")
    fields: dict[str, FieldError] = Field(default_factory=dict)


class ErrorBody(BaseModel):
    """The body of every answer that is not 2xx."""

    error: ErrorDetail


class IncidentSummary(BaseModel):
    """One incident of a list."""

    number: str
    state: Literal["open", "closed"]
    version: int
    step: int
    attempt: int
    step_title: Said
    role: str = Field(description="whose turn it is; empty once closed")
    severity: Literal["clear", "warning", "critical"]
    red: bool = Field(description="whether a probe still reports trouble")
    title: Said
    source: str
    target: str
    cluster: str
    application: str
    agency: str
    opened_at: datetime
    due_at: datetime | None
    overall_due_at: datetime | None
    closed_at: datetime | None
    outcome: str | None
    late: bool


class IncidentList(BaseModel):
    """A page of incidents, newest first."""

    incidents: list[IncidentSummary]
    after: int | None = Field(description="pass as ?after= for the next page; null: the last one")


class FindingBody(BaseModel):
    """A finding as its incident knows it."""

    fingerprint: str
    target: str
    family: str
    headline: Said = Field(description="cause and object, without figures")
    title: Said = Field(description="with the figures last stated")
    hint: Said
    severity: Literal["clear", "warning", "critical"]
    root: bool
    first_at: datetime
    last_at: datetime
    cleared_at: datetime | None
    raised_count: int
    green_seconds: float
    evidence: dict[str, Any] | None


class ClockBody(BaseModel):
    """A time standard; step 0 is the whole procedure."""

    step: int
    attempt: int
    state: Literal["running", "met", "breached"]
    starts_at: datetime
    due_at: datetime
    ended_at: datetime | None
    standard_seconds: float
    used_seconds: float
    remaining_seconds: float
    wall_seconds: float
    above_target: bool
    outside_hours: bool
    provisional: bool


class VisitBody(BaseModel):
    """One stay at a step."""

    step: int
    attempt: int
    entered_at: datetime
    claimed_by: str
    signed_by: str
    role: str
    decision: Literal["approve", "return"] | None
    signed_at: datetime | None
    document: str
    form: dict[str, Any]


class TimelineLine(BaseModel):
    """One event in words."""

    sequence: int
    at: datetime
    kind: str
    actor: str
    actor_name: str
    text: Said
    hash: str


class FormField(BaseModel):
    """One entry of the form of the waiting step."""

    name: str
    kind: str
    label: Said
    required: bool
    options: list[str]


class Waiting(BaseModel):
    """What the incident waits for."""

    step: int
    title: Said
    role: str
    decisions: list[Literal["approve", "return"]]
    form: list[FormField]
    may_sign: bool = Field(description="whether you may sign it now")
    refusal: Said | None = Field(description="why you may not")
    signers: list[str] = Field(description="usernames that hold the role today")


class IncidentBody(BaseModel):
    """One incident, whole."""

    number: str
    state: Literal["open", "closed"]
    version: int
    step: int
    title: Said
    severity: Literal["clear", "warning", "critical"]
    red: bool
    source: str
    family: str
    target: str
    cluster: str
    application: str
    agency: str
    opened_at: datetime
    closed_at: datetime | None
    outcome: str | None
    previous: str
    procedure: str
    report: dict[str, Any]
    findings: list[FindingBody]
    visits: list[VisitBody]
    clocks: list[ClockBody]
    overall: ClockBody
    room_seconds: float
    loops_affordable: dict[int, int]
    downtime_seconds: float | None
    timeline: list[TimelineLine]
    waiting: Waiting | None


class DocumentSummary(BaseModel):
    """One document of a list."""

    id: str
    step: int
    attempt: int
    kind: str
    title: Said
    revision: int
    at: datetime
    sha256: str
    previous: str
    sequence: int
    ledger_hash: str


class DocumentBody(DocumentSummary):
    """One document with everything its page prints."""

    data: dict[str, Any]


class DocumentList(BaseModel):
    """The documents of an incident, the oldest first."""

    documents: list[DocumentSummary]


class ProbeBody(BaseModel):
    """The newest word of one probe."""

    name: str
    question: Said
    state: Literal["ok", "warning", "critical", "blind", "stale", "unused"]
    read_at: datetime | None
    duration_seconds: float | None
    values: list[dict[str, Any]]
    message: str
    hint: Said
    findings: list[dict[str, Any]]


class TargetBody(BaseModel):
    """One watched server."""

    name: str
    engine: str
    flavour: str
    version: str
    address: str
    cluster: str
    role: str
    application: str
    agency: str
    up: bool | None
    state: Literal["ok", "warning", "critical", "blind", "stale", "unused"]
    probes: list[ProbeBody]


class TargetList(BaseModel):
    """Every watched server."""

    targets: list[TargetBody]


Paragraph = Annotated[str, Field(max_length=limits.PARAGRAPH)]


class ReportIn(Taken):
    """Form Laporan: what a person reports."""

    title: str = Field(min_length=1, max_length=limits.REPORT["title"])
    description: str = Field("", max_length=limits.REPORT["description"])
    target: str = Field("", max_length=limits.REPORT["target"])
    application: str = Field("", max_length=limits.REPORT["application"])
    agency: str = Field("", max_length=limits.REPORT["agency"])
    reporter: str = Field("", max_length=limits.REPORT["reporter"])
    contact: str = Field("", max_length=limits.REPORT["contact"])
    occurred_at: datetime | None = None
    severity: Literal["warning", "critical"] = "critical"
    source: Literal["person", "agency"] = "person"


class SignOffIn(Taken):
    """A decision on the waiting step. ``version`` is that of the incident you read."""

    step: int
    decision: Literal["approve", "return"]
    form: dict[str, Any] = Field(default_factory=dict)
    version: int


class ClaimIn(Taken):
    """The words "I am on it" for the waiting step."""

    version: int


class NoteIn(Taken):
    """A remark."""

    text: Paragraph


class DismissIn(Taken):
    """A closing without the rest of the procedure."""

    outcome: Literal["not_a_disruption", "duplicate"]
    reason: Paragraph
    version: int
    duplicate_of: str = ""


class DispenseIn(Taken):
    """A dispensation from the separation of duties."""

    step: int
    username: str
    reason: Paragraph
    version: int
