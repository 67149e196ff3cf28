"""Table definitions. ``events`` is the record; all others are derived from it or store accounts.

The migrations in ``migrations/versions`` create them; a test compares the two.
"""

from __future__ import annotations

from sqlalchemy import (
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    UniqueConstraint,
    text,
)

from incidents.store.types import Big, Instant

metadata = MetaData()

meta = Table(
    "meta",
    metadata,
    Column("name", Text, primary_key=True),
    Column("value", Text, nullable=False),
    sqlite_strict=True,
)
"""``ledger_head`` ("sequence hash"), ``installation``, ``number:<year>``."""

contents = Table(
    "contents",
    metadata,
    Column("hash", Text, primary_key=True),
    Column("kind", Text, nullable=False),  # procedure | calendar
    Column("body", Text, nullable=False),
    sqlite_strict=True,
)
"""Procedures and calendars by content hash, so that an incident keeps those it opened under."""

events = Table(
    "events",
    metadata,
    Column("sequence", Big, primary_key=True, autoincrement=False),
    Column("incident", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("at", Instant, nullable=False),
    Column("body", LargeBinary, nullable=False),  # the canonical bytes that were hashed
    Column("prev_hash", Text, nullable=False),
    Column("hash", Text, nullable=False),
    Index("events_of_incident", "incident", "sequence"),
    sqlite_strict=True,
)

incidents = Table(
    "incidents",
    metadata,
    Column("number", Text, primary_key=True),
    Column("is_open", Integer, nullable=False),
    Column("version", Integer, nullable=False),
    Column("step", Integer, nullable=False),
    Column("attempt", Integer, nullable=False),
    Column("step_title_id", Text, nullable=False),
    Column("step_title_en", Text, nullable=False),
    Column("role", Text, nullable=False),
    Column("severity", Integer, nullable=False),
    Column("red", Integer, nullable=False),
    Column("title_id", Text, nullable=False),
    Column("title_en", Text, nullable=False),
    Column("source", Text, nullable=False),
    Column("target", Text, nullable=False),
    Column("cluster", Text, nullable=False),
    Column("application", Text, nullable=False),
    Column("agency", Text, nullable=False),
    Column("family", Text, nullable=False),
    Column("opened_at", Instant, nullable=False),
    Column("entered_at", Instant, nullable=False),
    Column("claimed_by", Text, nullable=False),
    Column("due_at", Instant),
    Column("overall_due_at", Instant),
    Column("wake_at", Instant),  # when the next reminder or breach comes due
    Column("closed_at", Instant),
    Column("outcome", Text, nullable=False),
    Column("previous", Text, nullable=False),
    Column("procedure", Text, nullable=False),
    Column("calendar", Text, nullable=False),
    Column("position", Big, nullable=False),  # sequence of the opening event
    Column("last_sequence", Big, nullable=False),
    Column("last_hash", Text, nullable=False),
    Column("words", Text, nullable=False),  # what a search looks in, in small letters
    Index("incidents_by_position", "position", unique=True),
    Index(
        "incidents_open",
        "position",
        sqlite_where=text("is_open = 1"),
        postgresql_where=text("is_open = 1"),
    ),
    Index(
        "incidents_closed",
        "position",
        sqlite_where=text("is_open = 0"),
        postgresql_where=text("is_open = 0"),
    ),
    Index(
        "incidents_wake",
        "wake_at",
        sqlite_where=text("wake_at IS NOT NULL"),
        postgresql_where=text("wake_at IS NOT NULL"),
    ),
    sqlite_strict=True,
)
"""One row each for lists and the inbox, written with every event."""

findings = Table(
    "findings",
    metadata,
    Column("incident", Text, ForeignKey("incidents.number"), primary_key=True),
    Column("fingerprint", Text, primary_key=True),
    Column("severity", Integer, nullable=False),  # as last stated; 0: clear
    Column("is_open", Integer, nullable=False),
    Column("held", Integer, nullable=False),  # severity at "not a disruption"; 0: not held back
    Column("position", Big, nullable=False),  # sequence of the event that brought it in
    Index(
        "one_open_incident_per_finding",
        "fingerprint",
        unique=True,
        sqlite_where=text("is_open = 1"),
        postgresql_where=text("is_open = 1"),
    ),
    Index("findings_history", "fingerprint", "position"),
    Index(
        "findings_held",
        "fingerprint",
        sqlite_where=text("held > 0"),
        postgresql_where=text("held > 0"),
    ),
    sqlite_strict=True,
)

documents = Table(
    "documents",
    metadata,
    Column("incident", Text, ForeignKey("incidents.number"), primary_key=True),
    Column("id", Text, primary_key=True),
    Column("step", Integer, nullable=False),
    Column("attempt", Integer, nullable=False),
    Column("kind", Text, nullable=False),
    Column("title_id", Text, nullable=False),
    Column("title_en", Text, nullable=False),
    Column("revision", Integer, nullable=False),
    Column("at", Instant, nullable=False),
    Column("data", LargeBinary, nullable=False),  # canonical bytes
    Column("sha256", Text, nullable=False),
    Column("previous", Text, nullable=False),
    Column("sequence", Big, ForeignKey("events.sequence"), nullable=False),
    Column("ledger_hash", Text, nullable=False),
    UniqueConstraint("sequence", name="one_document_per_signature"),
    sqlite_strict=True,
)

outbox = Table(
    "outbox",
    metadata,
    Column("id", Big, primary_key=True, autoincrement=True),
    Column("sequence", Big, ForeignKey("events.sequence"), nullable=False),
    Column("incident", Text, nullable=False),
    Column("topic", Text, nullable=False),
    Column("role", Text, nullable=False),  # who is to be told
    Column("created_at", Instant, nullable=False),
    Column("due_at", Instant, nullable=False),
    Column("tries", Integer, nullable=False),
    Column("lease_until", Instant),
    Column("done_at", Instant),
    Column("error", Text, nullable=False),
    UniqueConstraint("sequence", "topic", "role", name="told_once"),
    Index(
        "outbox_waiting",
        "due_at",
        sqlite_where=text("done_at IS NULL"),
        postgresql_where=text("done_at IS NULL"),
    ),
    sqlite_strict=True,
)

people = Table(
    "people",
    metadata,
    Column("username", Text, primary_key=True),
    Column("name", Text, nullable=False),
    Column("nip", Text, nullable=False),
    Column("position", Text, nullable=False),
    Column("rank", Text, nullable=False),
    Column("email", Text, nullable=False),
    Column("language", Text, nullable=False),
    Column("active", Integer, nullable=False),
    Column("password", Text, nullable=False),  # argon2id, with its parameters and salt
    Column("created_at", Instant, nullable=False),
    Column("changed_at", Instant, nullable=False),
    sqlite_strict=True,
)

assignments = Table(
    "assignments",
    metadata,
    Column("id", Big, primary_key=True, autoincrement=True),
    Column("username", Text, ForeignKey("people.username"), nullable=False),
    Column("role", Text, nullable=False),
    Column("basis", Text, nullable=False),
    Column("letter_number", Text, nullable=False),
    Column("valid_from", Text),  # ISO 8601 date, inclusive, in the calendar's zone
    Column("valid_to", Text),
    Column("created_at", Instant, nullable=False),
    Index("assignments_of_person", "username"),
    Index("assignments_of_role", "role"),
    sqlite_strict=True,
)

sessions = Table(
    "sessions",
    metadata,
    Column("token_hash", Text, primary_key=True),  # SHA-256 of the token; the token itself nowhere
    Column("username", Text, ForeignKey("people.username"), nullable=False),
    Column("started_at", Instant, nullable=False),
    Column("seen_at", Instant, nullable=False),
    Column("expires_at", Instant, nullable=False),
    Index("sessions_of_person", "username"),
    sqlite_strict=True,
)

attempts = Table(
    "attempts",
    metadata,
    Column("key", Text, primary_key=True),  # SHA-256 of username and address
    Column("failures", Integer, nullable=False),
    Column("last_at", Instant, nullable=False),
    sqlite_strict=True,
)
