"""Engine for PgBouncer, monitored through its admin console.

Uses only SHOW, as a member of ``stats_users``, who may change nothing.
"""

from __future__ import annotations

from probes.pgbouncer.connect import FLAVOUR, open_session
from probes.pgbouncer.grants import BASE, account
from probes.words.engine import Engine, Script

ENGINE = Engine(
    name=FLAVOUR,
    title="PgBouncer",
    default_port=6432,
    flavours=(FLAVOUR,),
    open=open_session,
    role="pooler",
    base_grants=BASE,
    script=Script(account=account, comment=";", end=""),
)
