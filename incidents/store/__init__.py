"""Storage of incidents: SQLite by default, PostgreSQL for several desks.

``open_store(url)`` returns a ``Store`` at the newest schema, or raises with one sentence.
"""

from __future__ import annotations

from incidents.store.engine import LONG_ANSWER_SECONDS, Bound, Store
from incidents.store.errors import StoreUnavailable
from incidents.store.schema import installation, objection, open_store

__all__ = [
    "LONG_ANSWER_SECONDS",
    "Bound",
    "Store",
    "StoreUnavailable",
    "installation",
    "objection",
    "open_store",
]
