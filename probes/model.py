"""Data types of probing: targets, measurements, readings, thresholds, findings, evidence.

Opens no connection, reads no clock and decides nothing. The other packages import these types from
the package ``probes``; of the project this module imports ``Text`` alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import IntEnum, StrEnum
from typing import Any, Generic, Protocol, TypeVar

from probes.i18n import Text as Text  # one of the words that are had from here

Row = Mapping[str, Any]
"""One row of a server's answer, by column name."""


NOTHING_SAID = Text("")

Words = str | Text
"""Cell or note of evidence: Sigap's own words are a ``Text``; what a server, a file or a library
returned, a name, a number and an instant are strings.
"""


class Secret:
    """A string that prints as stars, so that no log, page or traceback shows it."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        """The secret itself, for the driver only."""
        return self._value

    def __repr__(self) -> str:
        return "Secret('***')"

    __str__ = __repr__

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and other._value == self._value

    def __hash__(self) -> int:
        return hash(self._value)


class Severity(IntEnum):
    """The verdict on one measure; the number is what ``sigap_finding_severity`` exports."""

    CLEAR = 0
    WARNING = 1
    CRITICAL = 2


class FailureKind(StrEnum):
    """Why a probe could not measure."""

    UNREACHABLE = "unreachable"  # no route, name not resolved, connection dropped
    REFUSED = "refused"  # closed port, starting, ending, or no server of this kind
    DENIED = "denied"  # wrong password, no pg_hba line, account locked
    EXHAUSTED = "exhausted"  # no connection slot left
    TIMEOUT = "timeout"  # our own deadline passed: frozen, black hole, overloaded
    UNSUPPORTED = "unsupported"  # this server version or flavour cannot answer
    BLIND = "blind"  # a grant, an instrument or a file is missing: we cannot see
    BROKEN = "broken"  # a bug of ours or an unexpected answer


CONNECTION_KINDS = frozenset(
    {
        FailureKind.UNREACHABLE,
        FailureKind.REFUSED,
        FailureKind.DENIED,
        FailureKind.EXHAUSTED,
        FailureKind.TIMEOUT,
    }
)
"""Kinds that mean the server cannot be used; they end a target's round."""


@dataclass(frozen=True, slots=True)
class Failure:
    """A probe could not measure, and why; shown like any value."""

    kind: FailureKind
    message: str  # English or the server's own words, for logs
    hint: Text = NOTHING_SAID
    said: Text = NOTHING_SAID
    """The message in both languages, if the probe wrote it itself."""
    reached: bool = False
    """The server's address accepted our connection before the failure, so the network path is open;
    set only if that is certain. A server that refuses or rejects was reached in any case.
    """


@dataclass(frozen=True, slots=True)
class Down:
    """What is known about a server that cannot be used; passed to the functions that show evidence
    of it.
    """

    failure: Failure
    spent_seconds: float  # until it failed
    at_login: bool  # False: it failed on a session that was open
    answered_at: datetime | None  # the last reading it answered; None: none since our start


class ProbeError(Exception):
    """A probe or a connection failed; carries its ``Failure``.

    ``message``: the server's own message, or a ``Text`` where the probe writes it.
    """

    def __init__(self, kind: FailureKind, message: str | Text, hint: Text | None = None) -> None:
        said = message if isinstance(message, Text) else NOTHING_SAID
        words = message.en if isinstance(message, Text) else message
        super().__init__(words)
        self.failure = Failure(kind, words, hint or NOTHING_SAID, said)
        self.waited_for_lock = False
        """Set by an engine whose server cancelled our statement because of another session's lock.
        """

    def after_contact(self) -> ProbeError:
        """The same error, known to have come after the peer accepted our connection."""
        self.failure = replace(self.failure, reached=True)
        return self


@dataclass(frozen=True, slots=True)
class Address:
    """Where a server listens, and the account to use."""

    host: str  # a name, an IP address, or the directory of a Unix socket (starts with "/")
    port: int
    user: str
    database: str = ""
    password: Secret | None = None
    options: Mapping[str, str] = field(default_factory=dict)  # sslmode, sslrootcert, ssl_ca …


@dataclass(frozen=True, slots=True)
class Limits:
    """A target's own limits for one measure; ``None`` keeps what the probe declares."""

    warning: float | None = None
    critical: float | None = None
    raise_after: int | None = None
    clear_after: int | None = None
    opens: Severity | None = None  # the severity from which an incident opens


@dataclass(frozen=True, slots=True)
class Tuning:
    """What a target's configuration changes for one probe."""

    enabled: bool = True
    every: float | None = None  # seconds
    thresholds: Mapping[str, Limits] = field(default_factory=dict)  # by measure


@dataclass(frozen=True, slots=True)
class Expectations:
    """Members that must be present, declared in the configuration; what is left out is learned.

    Each name is a subject as the probes report it (``sigap learn`` lists them).
    """

    standbys: tuple[str, ...] = ()
    slots: tuple[str, ...] = ()
    channels: tuple[str, ...] = ()
    members: tuple[str, ...] = ()
    volumes: tuple[str, ...] = ()
    upstream: str = ""  # host:port this replica must follow


NOTHING_EXPECTED = Expectations()


@dataclass(frozen=True, slots=True)
class Target:
    """One monitored server."""

    name: str
    engine: str  # folder name under probes/: postgresql | mysql | pgbouncer
    address: Address
    cluster: str = ""
    role: str = ""  # expected: primary | replica | "" (learned); pooler: in front of them
    application: str = ""
    agency: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)
    volumes: Mapping[str, str] = field(default_factory=dict)  # purpose -> path, configured
    probes: Mapping[str, Tuning] = field(default_factory=dict)  # by probe name
    host: str = ""  # name of the host the agent runs on, when the server is local to it
    machine: str = ""  # name or address of the host the server runs on, when that is another one
    agent: str = ""  # name of the agent that watches it
    expects: Expectations = NOTHING_EXPECTED


@dataclass(frozen=True, slots=True)
class Measure:
    """One number a probe yields.

    ``name`` carries the unit (``replication_lag_seconds``). It is exported as
    ``sigap_<engine>_<name>``, for host probes ``sigap_<name>``, with the labels ``target`` and,
    where ``subject`` names one, ``<subject>`` (``replica``, ``volume``, ``slot``, ``channel``).
    """

    name: str
    unit: str  # seconds | bytes | ratio | "" (a count or a 0/1 state)
    help: str
    subject: str = ""


@dataclass(frozen=True, slots=True)
class Measurement:
    """A value at an instant, without a verdict.

    ``detail`` holds the facts that name the cause (who blocks, which error); they fill the
    placeholders of a threshold's title. They never become metric labels.
    """

    measure: str
    value: float
    subject: str = ""
    detail: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Reading:
    """One run of one probe on one target: measurements or a failure, never both."""

    target: str
    probe: str
    at: datetime  # aware, UTC
    duration_seconds: float
    measurements: tuple[Measurement, ...] = ()
    failure: Failure | None = None


@dataclass(frozen=True, slots=True)
class Threshold:
    """From which value a measure is bad, and what to say then.

    ``title`` names the cause in words; placeholders ``{target} {subject} {value} {limit}`` (written
    with their unit) and every key of the measurement's ``detail``, empty if that is missing.
    ``family``: the kind of fault in the correlation table; ``headline``: the title without figures,
    if any.
    """

    measure: str
    title: Text
    hint: Text
    family: str
    warning: float | None = None
    critical: float | None = None
    above: bool = True  # False: bad when the value is at or below the limit
    raise_after: int = 1  # consecutive bad readings
    clear_after: int = 2  # consecutive good readings
    clear_margin: float = 0.0  # ratio of the limit a value must come back by to count as good
    opens: Severity = Severity.CRITICAL
    absent_clears: bool = True  # a subject that is gone counts as good; False: it stays as it was
    unknown_without: str = ""
    """A 0/1 measure: while it is 0 for the same subject, a missing value keeps the state."""
    headline: Text = NOTHING_SAID


@dataclass(frozen=True, slots=True)
class Exhibit:
    """One table of evidence, as a person would read it."""

    title: Text
    columns: tuple[Words, ...]
    rows: tuple[tuple[Words, ...], ...]
    note: Words = ""  # e.g. "truncated to 50 of 812 waiters"; several by ``tables.remarks``


@dataclass(frozen=True, slots=True)
class Evidence:
    """What a DBA would have queried when the fault began; bounded, redacted, unchangeable."""

    taken_at: datetime
    exhibits: tuple[Exhibit, ...]


T = TypeVar("T")


@dataclass(eq=False)
class MemoryKey(Generic[T]):
    """The name and type of something remembered; declared once, where it is written and read."""

    name: str


@dataclass(eq=False)
class KeptKey(MemoryKey[T]):
    """A key whose value, plain JSON, outlives the process; no name: it is all the probe keeps.

    ``parse`` reads what an earlier process wrote; what it raises on is forgotten.
    """

    parse: Callable[[Any], T]


class Memory:
    """What is remembered from one reading to the next; ``kept``: from an earlier process."""

    def __init__(self, kept: Mapping[str, Any] | None = None) -> None:
        self._values: dict[MemoryKey[Any], Any] = {}
        self._restored: dict[str, Any] = dict(kept or {})

    def get(self, key: MemoryKey[T]) -> T | None:
        if isinstance(key, KeptKey) and (found := self._restored_of(key)) is not None:
            with suppress(TypeError, ValueError, AttributeError, LookupError):
                self._values[key] = key.parse(found)
        value: T | None = self._values.get(key)
        return value

    def of(self, key: MemoryKey[T], default: T) -> T:
        """What is remembered; ``default`` from now on if nothing is."""
        found = self.get(key)
        return self.set(key, default) if found is None else found

    def set(self, key: MemoryKey[T], value: T) -> T:
        self.drop(key)
        self._values[key] = value
        return value

    def drop(self, key: MemoryKey[Any]) -> None:
        if isinstance(key, KeptKey):
            self._restored_of(key)
        self._values.pop(key, None)

    @property
    def kept(self) -> dict[str, Any]:
        """What is to outlive the process."""
        written = dict(self._restored)
        for key, value in self._values.items():
            if isinstance(key, KeptKey):
                written |= {key.name: value} if key.name else value
        return written

    def _restored_of(self, key: KeptKey[T]) -> Any:
        """What an earlier process kept under this key; it is given out once."""
        if key.name:
            return self._restored.pop(key.name, None)
        found, self._restored = self._restored, {}
        return found or None


@dataclass(slots=True)
class Shared:
    """What the probes that use one session may tell each other, so that a server is asked once.

    Only whole answers are put here, never a failure: who meets one lets the next ask for itself.
    """

    round: Memory = field(default_factory=Memory)
    """Answers of this round; empty at its beginning and when evidence is taken."""
    login: Memory = field(default_factory=Memory)
    """What holds for as long as this login lives."""


class Session(Protocol):
    """What a probe may do with a server; the protocol that tests may fake.

    Every call ends at the deadline in force and raises ``ProbeError``.
    """

    @property
    def target(self) -> Target: ...
    @property
    def flavour(self) -> str: ...  # postgresql | mysql | mariadb
    @property
    def version(self) -> int: ...  # 150018 for PostgreSQL 15.18, 101119 for MariaDB 10.11.19
    @property
    def phases(self) -> Mapping[str, float]: ...  # seconds per phase of this session's login
    @property
    def memory(self) -> Memory:
        """What this probe noted about this target; only a ``KeptKey`` survives a restart."""
        ...

    @property
    def shared(self) -> Shared:
        """What other probes asked on this session; one without an owner shares nothing."""
        ...

    def rows(self, sql: str, parameters: tuple[object, ...] = ()) -> list[Row]:
        """Run one query and return the whole answer."""
        ...

    def fresh(self, database: str = "") -> AbstractContextManager[Session]:
        """An additional session with a new login, closed on leaving; in ``database`` when named."""
        ...

    def paths(self) -> Mapping[str, str]:
        """Where the server keeps its files: data, wal, log, tmp … (purpose -> directory).

        For a host probe this is what the server reported last, so that the volumes of a server that
        is down can still be read.
        """
        ...

    def close(self) -> None: ...


@dataclass(frozen=True, slots=True)
class Grant:
    """A right a probe needs, as the statement an administrator runs; ``{user}`` is the account."""

    sql: str
    flavour: str  # postgresql | mysql | mariadb | pgbouncer
    why: Text


@dataclass(frozen=True, slots=True)
class Probe:
    """One check of a target. A probe file declares one as ``PROBE``.

    ``read`` yields measurements or raises ``ProbeError``; it never judges and never changes the
    server. ``exhibits`` yields the evidence to store when a fault begins; ``exhibits_when_down``
    the evidence that needs no session (its ``rows`` and ``fresh`` then fail). ``judged_on_failure``
    names the measure that counts as 0 when the reading itself fails (``up`` of ``availability``);
    the other probes only become blind or stale then.
    ``sooner_in_doubt``: ``every`` applies while all is well; while a reading fails, is beyond a
    limit or is not clear yet, the probe runs at the agent's interval, so that an expensive probe
    may run rarely without its streaks taking minutes (decision 12).
    ``when_unused``: the reason to show when a reading has no judged measure.
    """

    name: str
    engine: str  # postgresql | mysql | host
    question: Text
    measures: tuple[Measure, ...]
    thresholds: tuple[Threshold, ...]
    read: Callable[[Session], Iterable[Measurement]]
    every: float | None = None  # seconds; None: the agent's interval
    exhibits: Callable[[Session], Iterable[Exhibit]] | None = None
    exhibits_when_down: Callable[[Session, Down], Iterable[Exhibit]] | None = None
    grants: tuple[Grant, ...] = ()
    runbook: Text = NOTHING_SAID
    judged_on_failure: str = ""
    sooner_in_doubt: bool = False
    when_unused: Text = NOTHING_SAID
