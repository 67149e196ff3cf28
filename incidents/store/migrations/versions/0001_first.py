"""The first schema."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def _text(name: str, nullable: bool = False) -> sa.Column[str]:
    return sa.Column(name, sa.Text(), nullable=nullable)


def _integer(name: str) -> sa.Column[int]:
    return sa.Column(name, sa.Integer(), nullable=False)


def _big(name: str, nullable: bool = False) -> sa.Column[int]:
    return sa.Column(name, BIG, nullable=nullable)


def _key(name: str) -> sa.Column[str]:
    return sa.Column(name, sa.Text(), primary_key=True)


def _serial(name: str) -> sa.Column[int]:
    return sa.Column(name, BIG, primary_key=True, autoincrement=True)


def _bytes(name: str) -> sa.Column[bytes]:
    return sa.Column(name, sa.LargeBinary(), nullable=False)


def _table(name: str, *columns: sa.Column[Any] | sa.Constraint) -> None:
    op.create_table(name, *columns, sqlite_strict=True)


def _partial(name: str, table: str, column: str, where: str, unique: bool = False) -> None:
    op.create_index(
        name,
        table,
        [column],
        unique=unique,
        sqlite_where=sa.text(where),
        postgresql_where=sa.text(where),
    )


def upgrade() -> None:
    _record()
    _incidents()
    _documents_and_outbox()
    _people()


def _record() -> None:
    _table("meta", _key("name"), _text("value"))
    op.execute("INSERT INTO meta (name, value) VALUES ('ledger_head', '0 " + "0" * 64 + "')")
    _table("contents", _key("hash"), _text("kind"), _text("body"))
    _table(
        "events",
        sa.Column("sequence", BIG, primary_key=True, autoincrement=False),
        _text("incident"),
        _text("kind"),
        _big("at"),
        _bytes("body"),
        _text("prev_hash"),
        _text("hash"),
    )
    op.create_index("events_of_incident", "events", ["incident", "sequence"])


def _incidents() -> None:
    _table(
        "incidents",
        _key("number"),
        *map(_integer, ("is_open", "version", "step", "attempt")),
        *map(_text, ("step_title_id", "step_title_en", "role")),
        *map(_integer, ("severity", "red")),
        *map(_text, ("title_id", "title_en", "source", "target", "cluster")),
        *map(_text, ("application", "agency", "family")),
        *map(_big, ("opened_at", "entered_at")),
        _text("claimed_by"),
        *(_big(name, nullable=True) for name in ("due_at", "overall_due_at", "wake_at")),
        _big("closed_at", nullable=True),
        *map(_text, ("outcome", "previous", "procedure", "calendar")),
        *map(_big, ("position", "last_sequence")),
        *map(_text, ("last_hash", "words")),
    )
    op.create_index("incidents_by_position", "incidents", ["position"], unique=True)
    _partial("incidents_open", "incidents", "position", "is_open = 1")
    _partial("incidents_closed", "incidents", "position", "is_open = 0")
    _partial("incidents_wake", "incidents", "wake_at", "wake_at IS NOT NULL")
    _table(
        "findings",
        sa.Column("incident", sa.Text(), sa.ForeignKey("incidents.number"), primary_key=True),
        _key("fingerprint"),
        *map(_integer, ("severity", "is_open", "held")),
        _big("position"),
    )
    _partial("one_open_incident_per_finding", "findings", "fingerprint", "is_open = 1", unique=True)
    op.create_index("findings_history", "findings", ["fingerprint", "position"])


def _documents_and_outbox() -> None:
    _table(
        "documents",
        sa.Column("incident", sa.Text(), sa.ForeignKey("incidents.number"), primary_key=True),
        _key("id"),
        *map(_integer, ("step", "attempt")),
        *map(_text, ("kind", "title_id", "title_en")),
        _integer("revision"),
        _big("at"),
        _bytes("data"),
        *map(_text, ("sha256", "previous")),
        sa.Column("sequence", BIG, sa.ForeignKey("events.sequence"), nullable=False),
        _text("ledger_hash"),
        sa.UniqueConstraint("sequence", name="one_document_per_signature"),
    )
    _table(
        "outbox",
        _serial("id"),
        sa.Column("sequence", BIG, sa.ForeignKey("events.sequence"), nullable=False),
        *map(_text, ("incident", "topic", "role")),
        *map(_big, ("created_at", "due_at")),
        _integer("tries"),
        *(_big(name, nullable=True) for name in ("lease_until", "done_at")),
        _text("error"),
        sa.UniqueConstraint("sequence", "topic", "role", name="told_once"),
    )
    _partial("outbox_waiting", "outbox", "due_at", "done_at IS NULL")


def _people() -> None:
    _table(
        "people",
        _key("username"),
        *map(_text, ("name", "nip", "position", "rank", "email", "language")),
        _integer("active"),
        _text("password"),
        *map(_big, ("created_at", "changed_at")),
    )
    _table(
        "assignments",
        _serial("id"),
        sa.Column("username", sa.Text(), sa.ForeignKey("people.username"), nullable=False),
        *map(_text, ("role", "basis", "letter_number")),
        *(_text(name, nullable=True) for name in ("valid_from", "valid_to")),
        _big("created_at"),
    )
    op.create_index("assignments_of_person", "assignments", ["username"])
    op.create_index("assignments_of_role", "assignments", ["role"])
    _table(
        "sessions",
        _key("token_hash"),
        sa.Column("username", sa.Text(), sa.ForeignKey("people.username"), nullable=False),
        *map(_big, ("started_at", "seen_at", "expires_at")),
    )
    op.create_index("sessions_of_person", "sessions", ["username"])
    _table("attempts", _key("key"), _integer("failures"), _big("last_at"))
