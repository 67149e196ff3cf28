"""State and lag of every replication channel.

A NULL lag is never 0: it is "unknown" (a state of its own), with the stopped thread named.
"Connecting" is not running; an intended delay is not lag; a replica whose channel disappeared is a
finding. The server's own seconds stay 0 while the receiver hangs on a dead connection, until
replica_net_timeout; the bytes and the primary's side are measured for comparison.
"""

from __future__ import annotations

from collections.abc import Iterator

from probes.i18n.headings import headings
from probes.model import Exhibit, Measure, Measurement, Probe, ProbeError, Session, Text, Threshold
from probes.mysql.clusters import groups
from probes.mysql.grants import BINLOGS, CHANNELS, INSTRUMENTS
from probes.mysql.replication.channels import Channel, channels, connected_replicas
from probes.mysql.replication.stopped import applying, receiving
from probes.mysql.replication.workers import failed_workers, named
from probes.words import failure_text
from probes.words.tables import remarks


def read(session: Session) -> Iterator[Measurement]:
    """State, lag and error of each channel; how many replicas this server feeds."""
    found = channels(session)
    if session.target.role == "replica" and groups.group(session) is None:
        yield Measurement("replication_configured", float(bool(found)), detail={"said": has(found)})
    failed = failed_workers(session) if any(not each.sql_running for each in found) else {}
    for channel in found:
        yield from measured(named(channel, failed.get(channel.name, [])))
    yield Measurement("connected_replicas", float(connected_replicas(session)))


def has(found: list[Channel]) -> Text:
    """What an expected replica has instead, for the title."""
    if found:
        names = ", ".join(each.name for each in found)
        return Text("has the replication channel {names}", names=names)
    return Text("should be a replica, but has no replication channel")


def measured(channel: Channel) -> Iterator[Measurement]:
    """The measurements of one channel; no seconds if the server does not know them."""
    yield Measurement(
        "replication_io_running",
        float(channel.io_running),
        channel.name,
        {
            "state": channel.io_state,
            "errno": channel.io_errno,
            "error": channel.io_error,
            "source": channel.source,
            "said": receiving(channel),
        },
    )
    as_told = channel.stopped_as_told
    detail = {
        "state": channel.sql_state,
        "errno": channel.sql_errno,
        "error": channel.sql_error,
        "source": channel.source,
        "said": applying(channel),
    }
    yield Measurement(
        "replication_sql_running", float(channel.sql_running or as_told), channel.name, detail
    )
    yield Measurement("replication_until_reached", float(as_told), channel.name, detail)
    lag = channel.lag_seconds
    yield Measurement("replication_lag_known", float(lag is not None), channel.name)
    if lag is not None:
        yield Measurement(
            "replication_lag_seconds",
            lag,
            channel.name,
            {"source": channel.source, "received": channel.received, "applied": channel.applied},
        )
    yield Measurement("replication_delay_seconds", channel.delay_seconds, channel.name)
    if channel.lag_bytes is not None:
        yield Measurement("replication_lag_bytes", float(channel.lag_bytes), channel.name)
    if channel.gap is not None:
        yield Measurement("replication_gap_transactions", float(channel.gap), channel.name)
    yield Measurement("replication_relay_bytes", float(channel.relay_bytes), channel.name)


_NO_CHANNEL = Text("this server has no replication channel")


def exhibits(session: Session) -> Iterator[Exhibit]:
    """The channels, and this server's own binary log position."""
    rows = tuple(
        (
            each.name,
            each.source,
            each.io_state,
            each.sql_state,
            "NULL" if each.seconds_behind is None else f"{each.seconds_behind:.0f}",
            f"{each.delay_seconds:.0f}",
            f"({each.io_errno}) {each.io_error}" if each.io_errno else "",
            f"({each.sql_errno}) {each.sql_error}" if each.sql_errno else "",
            each.received,
            each.applied,
            str(each.relay_bytes),
        )
        for each in channels(session)
    )
    yield Exhibit(
        Text("Replication channels on this server"),
        headings(
            "channel", "source", "IO", "SQL", "seconds behind", "delay", "IO error", "SQL error",
            "received", "applied", "relay bytes",
        ),
        rows,
        note="" if rows else _NO_CHANNEL,
    )  # fmt: skip
    yield _own_position(session)
    failed = failed_workers(session)
    if failed:
        yield Exhibit(
            Text("Applier workers that failed"),
            headings("channel", "worker", "errno", "error", "transaction"),
            tuple(
                (name, str(each.number), str(each.errno), each.error, each.transaction)
                for name, workers in failed.items()
                for each in workers
            ),
        )


def _own_position(session: Session) -> Exhibit:
    title = Text("This server's own binary log position")
    renamed = session.flavour == "mysql" and session.version >= 80200
    try:
        found = session.rows("SHOW BINARY LOG STATUS" if renamed else "SHOW MASTER STATUS")
    except ProbeError as error:
        return Exhibit(
            title, (), (), note=remarks(failure_text.shown(error.failure), error.failure.hint)
        )
    if not found:
        return Exhibit(title, (), (), note=Text("the binary log is off"))
    columns = tuple(found[0])
    return Exhibit(
        title, headings(*columns), tuple(tuple(str(row[name]) for name in columns) for row in found)
    )


_STOPPED_HINT = Text(
    "Do not skip a transaction (SQL_SLAVE_SKIP_COUNTER) before knowing why the replica differs. "
    "Read the evidence, mend the cause, then a person runs `START REPLICA`."
)

PROBE = Probe(
    name="replication_lag",
    engine="mysql",
    question=Text("Does every replication channel run, and how far behind is it?"),
    measures=(
        Measure("replication_configured", "", "1 when a server expected to be a replica is one"),
        Measure("replication_io_running", "", "1 when the channel's receiver runs", "channel"),
        Measure(
            "replication_sql_running",
            "",
            "1 when the channel's applier runs, or has stopped at its START ... UNTIL condition",
            "channel",
        ),
        Measure(
            "replication_until_reached",
            "",
            "1 when the applier has stopped at its START ... UNTIL condition",
            "channel",
        ),
        Measure("replication_lag_known", "", "1 when the server knows its lag", "channel"),
        Measure(
            "replication_lag_seconds",
            "seconds",
            "How far the applier is behind, beyond the intended delay; absent when unknown",
            "channel",
        ),
        Measure("replication_delay_seconds", "seconds", "The configured delay", "channel"),
        Measure(
            "replication_lag_bytes",
            "bytes",
            "Received but not yet applied, when both are in the same source log",
            "channel",
        ),
        Measure(
            "replication_gap_transactions",
            "",
            "Received but not yet applied, by global transaction ids",
            "channel",
        ),
        Measure("replication_relay_bytes", "bytes", "Size of the relay logs", "channel"),
        Measure("connected_replicas", "", "Replicas now reading this server's binary log"),
    ),
    thresholds=(
        Threshold(
            measure="replication_configured",
            title=Text("{target} {said}"),
            hint=Text(
                "Somebody ran RESET REPLICA / RESET SLAVE ALL, or the server was promoted: rebuild "
                "the replica, or change the target's role."
            ),
            family="replication",
            critical=0.0,
            above=False,
            raise_after=2,
        ),
        Threshold(
            measure="replication_io_running",
            title=Text("{target}: {said}"),
            hint=Text(
                "Check the network to the primary, the replication account, and whether the "
                "primary still has the binary log that is asked for."
            ),
            family="replication",
            critical=0.0,
            above=False,
            raise_after=2,  # a primary's restart is one reading of "Connecting"
            absent_clears=False,
        ),
        Threshold(
            measure="replication_sql_running",
            title=Text("{target}: {said}"),
            hint=_STOPPED_HINT,
            family="replication",
            critical=0.0,
            above=False,
            absent_clears=False,
        ),
        Threshold(
            measure="replication_until_reached",
            title=Text("{target}: {said}"),
            hint=Text(
                "Somebody had it stop there on purpose: ask, then a person runs `START REPLICA` "
                "once the work is done."
            ),
            family="replication",
            warning=1.0,
            raise_after=2,
            absent_clears=False,
        ),
        Threshold(
            measure="replication_lag_seconds",
            title=Text("{target} is {value} behind {source} (channel {subject})"),
            headline=Text("{target} is behind {source} (channel {subject})"),
            hint=Text(
                "Look for a large transaction or a table without a primary key on the replica "
                "(`SHOW PROCESSLIST`), locks the applier waits for, and disk load."
            ),
            family="replication",
            # 30 s is the common alarm; 5 min is longer than any ordinary batch.
            warning=30.0,
            critical=300.0,
            raise_after=3,
            clear_margin=0.5,
            absent_clears=False,  # unknown is not caught up
        ),
    ),
    read=read,
    exhibits=exhibits,
    grants=(
        *CHANNELS,
        *BINLOGS,
        *(each for each in INSTRUMENTS if "performance_schema" in each.sql),
    ),
    runbook=Text(
        "1. Which thread stopped, with which error? 2. IO: network, account, binary logs on the "
        "primary. 3. SQL: compare the row the error names on both sides. 4. Running but behind: "
        "large transactions, locks, disk. 5. Compare GTID positions of both sides before closing."
    ),
)
