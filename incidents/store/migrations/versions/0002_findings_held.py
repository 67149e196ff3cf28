"""Adds the severity up to which a person suppressed a finding."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    where = sa.text("held > 0")
    op.create_index(
        "findings_held", "findings", ["fingerprint"], sqlite_where=where, postgresql_where=where
    )
