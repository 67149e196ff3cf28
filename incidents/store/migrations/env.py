"""Alembic's entry: runs the revisions on the connection that ``schema`` hands over."""

from __future__ import annotations

from alembic import context
from sqlalchemy import Connection

connection = context.config.attributes.get("connection")
if not isinstance(connection, Connection):
    raise SystemExit("Sigap migrates its store by itself; start `sigap run` or `sigap desk`.")
context.configure(connection=connection)
context.run_migrations()
