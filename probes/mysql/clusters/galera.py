"""State of a Galera node: primary component, synchronised, flow control.

A node outside the primary component accepts logins and refuses every query; a node that is not
synced serves old data; one slow node slows all by flow control. Reports nothing if wsrep is off.
The nodes of the component are reported by address, so that the agent notices a missing one.
Source: the wsrep_ status variables of MariaDB (and of Percona XtraDB Cluster).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from probes.i18n.headings import headings
from probes.model import Exhibit, Measure, Measurement, Probe, Session, Text, Threshold
from probes.mysql.ask import growth, is_on, number, status, variables

_STATES = (
    "wsrep_cluster_status", "wsrep_local_state_comment", "wsrep_ready", "wsrep_connected",
    "wsrep_cluster_size", "wsrep_incoming_addresses", "wsrep_local_recv_queue",
    "wsrep_flow_control_paused_ns", "Uptime",
)  # fmt: skip

_SHOWN = (
    "wsrep_last_committed", "wsrep_local_index", "wsrep_local_send_queue", "wsrep_desync_count",
    "wsrep_evs_delayed", "wsrep_flow_control_sent", "wsrep_flow_control_recv",
    "wsrep_local_cert_failures", "wsrep_local_bf_aborts",
)  # fmt: skip
"""Further values for the evidence."""


def read(session: Session) -> Iterator[Measurement]:
    """Component, state, size, queue, and the share of time spent paused by flow control."""
    if not is_on(variables(session, "wsrep_on"), "wsrep_on"):
        return
    found = status(session, *_STATES)
    yield from states(found)
    counters = {
        name: value
        for name in ("uptime", "wsrep_flow_control_paused_ns")
        if (value := number(found, name)) is not None
    }
    grown, seconds = growth(session, counters)
    if seconds and "wsrep_flow_control_paused_ns" in grown:
        paused = grown["wsrep_flow_control_paused_ns"] / 1e9 / seconds
        yield Measurement("galera_paused_ratio", min(1.0, paused))


def states(found: Mapping[str, str]) -> Iterator[Measurement]:
    """The measurements of one answer."""
    component = found.get("wsrep_cluster_status", "")
    state = found.get("wsrep_local_state_comment", "")
    ready = is_on(found, "wsrep_ready") and component.lower() == "primary"
    detail = {"component": component or "?", "state": state or "?"}
    yield Measurement("galera_ready", float(ready), detail=detail)
    yield Measurement("galera_synced", float(state.lower() == "synced"), detail=detail)
    if (size := number(found, "wsrep_cluster_size")) is not None:
        yield Measurement("galera_nodes", size)
    if ready:  # outside the primary component it sees only nodes that are cut off with it
        for name in members(found.get("wsrep_incoming_addresses", "")):
            yield Measurement("galera_member", 1.0, name)
    if (queue := number(found, "wsrep_local_recv_queue")) is not None:
        yield Measurement("galera_receive_queue", queue)


def members(addresses: str) -> list[str]:
    """The nodes by address; an arbitrator, and a node on loopback only, has none."""
    if not addresses:
        return []
    listed = [each.strip() for each in addresses.split(",")]
    named = sorted(each for each in listed if each not in {"", "AUTO"})
    return named + [f"unnamed-{i}" for i in range(1, len(listed) - len(named) + 1)]


def exhibits(session: Session) -> Iterator[Exhibit]:
    """The cluster as this node sees it."""
    if not is_on(variables(session, "wsrep_on"), "wsrep_on"):
        return
    found = status(session, *_SHOWN, *_STATES)
    yield Exhibit(
        Text("The cluster as this node sees it"),
        headings("variable", "value"),
        tuple((name, value) for name, value in sorted(found.items()) if name != "uptime"),
    )


PROBE = Probe(
    name="galera",
    engine="mysql",
    question=Text(
        "Is this Galera node in the primary component, synced, and is the cluster whole?"
    ),
    measures=(
        Measure(
            "galera_ready", "", "1 when the node is in the primary component and takes queries"
        ),
        Measure("galera_synced", "", "1 when the node is Synced"),
        Measure("galera_nodes", "", "Nodes in this node's component"),
        Measure("galera_member", "", "1 for each node in this node's primary component", "member"),
        Measure("galera_receive_queue", "", "Write sets waiting to be applied here"),
        Measure(
            "galera_paused_ratio", "ratio", "Share of time replication was paused by flow control"
        ),
    ),
    thresholds=(
        Threshold(
            measure="galera_ready",
            title=Text(
                "{target}: the Galera node is outside the primary component ({component}, "
                "{state}): every query is refused"
            ),
            hint=Text(
                "Find the part that still has the majority; pc.bootstrap only by a person, and "
                "only where no part is primary any more."
            ),
            family="replication",
            critical=0.0,
            above=False,
            raise_after=2,
        ),
        Threshold(
            measure="galera_synced",
            title=Text("{target}: the Galera node is not synced ({state})"),
            hint=Text(
                "Donor or joining is ordinary for a while; if it lasts, see the SST/IST log."
            ),
            family="replication",
            warning=0.0,
            above=False,
            raise_after=20,  # five minutes at the usual interval: a state transfer takes as long
        ),
        Threshold(
            measure="galera_receive_queue",
            title=Text("{target}: {value} write sets wait to be applied"),
            headline=Text("{target}: write sets pile up before they are applied"),
            hint=Text("This node is slower than the others: disk, locks, wsrep_slave_threads."),
            family="replication",
            warning=100.0,  # the length at which stock rules call a donor late
            raise_after=3,
        ),
        Threshold(
            measure="galera_paused_ratio",
            title=Text(
                "{target}: Galera replication stood still {value} of the time (flow control)"
            ),
            headline=Text("{target}: Galera replication stands still (flow control)"),
            hint=Text("Find the node with the longest galera_receive_queue: it is the brake."),
            family="replication",
            warning=0.1,
            raise_after=3,
        ),
    ),
    read=read,
    when_unused=Text("not a Galera node: wsrep_on is off"),
    exhibits=exhibits,
    runbook=Text(
        "1. wsrep_cluster_status on every node. 2. Where is the majority? 3. A missing node: "
        "process, network 4567/4568/4444. 4. grastate.dat before any bootstrap. 5. Rejoin one by "
        "one."
    ),
)
