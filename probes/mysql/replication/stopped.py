"""One short clause on what a replication thread does or why it does not run.

The server's own text fills three lines and names the cause last. Here the cause comes first, in
both languages, with the error's number and the table; the server's full text stays in the evidence.
Numbers: the error reference of MySQL 8.4 and the error codes of MariaDB.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from probes.model import Text
from probes.mysql.replication.channels import DEFAULT_CHANNEL, RUNNING, Channel

LONGEST = 60
"""Characters kept of a server's text for errors without an entry here."""

_CAUSES: Mapping[int, Text] = {
    1007: Text("the database exists already"),
    1008: Text("there is no such database"),
    1021: Text("the disk is full"),
    1032: Text("row not found"),
    1045: Text("the replication account is rejected"),
    1050: Text("the table exists already"),
    1051: Text("there is no such table"),
    1062: Text("duplicate key"),
    1146: Text("there is no such table"),
    1205: Text("waited too long for a lock"),
    1213: Text("deadlock"),
    1236: Text("the primary no longer has the binary log asked for"),
    1396: Text("a change of an account failed"),
    1451: Text("a foreign key forbids it"),
    1452: Text("a foreign key forbids it"),
    2003: Text("the primary cannot be reached"),
    2005: Text("the primary's host name is unknown"),
    2013: Text("the connection to the primary was lost"),
    2026: Text("TLS failed"),
}
_TABLE = re.compile(r"on table [`'\"]?(?P<table>[^\s;,'\"]+)", re.IGNORECASE)


def receiving(channel: Channel) -> Text:
    """What the channel's receiver does."""
    words = Text("the receiver (IO)")
    return _said(words, channel, channel.io_state, channel.io_errno, channel.io_error)


def applying(channel: Channel) -> Text:
    """What the channel's applier does."""
    words = Text("the applier (SQL)")
    return _said(words, channel, channel.sql_state, channel.sql_errno, channel.sql_error)


def _said(words: Text, channel: Channel, state: str, errno: int, error: str) -> Text:
    name = "" if channel.name == DEFAULT_CHANNEL else channel.name
    named = Text(" of channel {name}", name=name) if name else Text("")
    does = {
        RUNNING: Text("runs"),
        "No": Text("has stopped"),
    }.get(state, Text("is not connected ({state})", state=state))
    what = Text("{words}{named} {does}", words=words, named=named, does=does)
    why = None if state == RUNNING else cause(errno, error, channel.until, state)
    return what if why is None else Text("{a}: {b}", a=what, b=why)


def cause(errno: int, error: str, until: str, state: str) -> Text | None:
    """Why a thread does not run; None if that is not known yet."""
    if errno or error:
        found = _TABLE.search(error)
        table = found["table"].strip("`").replace("`.`", ".") if found else ""
        known = _CAUSES.get(errno)
        if known is None:
            short = error if len(error) <= LONGEST else error[: LONGEST - 1] + "…"
            known = Text.verbatim(short)
        elif table:
            known = Text("{known} on {table}", known=known, table=table)
        return Text("{known} ({errno})", known=known, errno=errno)
    if until:
        return Text("as told by START ... UNTIL {until}", until=until)
    if state == "No":
        return Text("with no error, so somebody stopped it or it was never started")
    return None
