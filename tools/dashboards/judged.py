"""One dashboard per engine and subject, with a panel for every measure that has a limit.

Panels are generated from the probe's declaration: measure, unit, help, question and the direction
of its limits, which come from ``sigap_threshold``. The subject is the probe's folder
(``probes/mysql/replication``). A panel shows at most its ten worst series, whatever the number of
targets.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path

import probes
from probes.fleet.catalogue import EVERY_DERIVED_PROBE
from probes.model import Measure, Probe, Threshold
from probes.registry import HOST, engine, engine_names, probes_for
from tools.dashboards.panels import (
    DATASOURCE,
    LIMIT_LINES,
    SIGAP_URL,
    Json,
    Panel,
    Query,
    Row,
    dashboard,
    lines,
    variable,
)

AGENT = 'job=~"$job",instance=~"$instance"'
SCOPE = f'{AGENT},target=~"$target"'
IN_CLUSTER = 'cluster=~"$cluster"'
MOST_SERIES = 10
UNITS = {"seconds": "s", "bytes": "bytes", "ratio": "percentunit", "": "short"}
UNPREFIXED = frozenset({HOST, *(probe.engine for probe in EVERY_DERIVED_PROBE)})
"""Engines whose measures are exported as ``sigap_<measure>``."""


def pages() -> Iterator[tuple[str, Json]]:
    """File name and dashboard for every engine and subject, the host, and the servers together."""
    for name in sorted(engine_names()):
        title = engine(name).title
        own = [probe for probe in probes_for(name) if probe.engine == name]
        for subject in sorted({subject_of(probe) for probe in own}):
            held = [probe for probe in own if subject_of(probe) == subject]
            part = f"-{subject}" if subject else ""
            words = f": {subject}" if subject else ""
            scope = _variables(f'engine="{name}"')
            yield from _page(f"{name}{part}", f"{title}{words}", held, scope)
    host = [probe for probe in probes_for(engine_names()[0]) if probe.engine == HOST]
    yield from _page("host", "Host", host, _variables())
    # what follows from several servers belongs to a cluster or a host, not to a server
    together = _variables(of="sigap_threshold")
    yield from _page("fleet", "Members, roles and reachability", EVERY_DERIVED_PROBE, together)


@cache
def subject_of(probe: Probe) -> str:
    """The folder inside its engine's that a probe lies in; empty where the engine has none."""
    top = Path(probes.__path__[0]) / probe.engine
    (file,) = top.rglob(f"{probe.name}.py")
    return "" if file.parent == top else file.parent.name


def series(probe: Probe, measure: Measure) -> str:
    """The name a measure is exported under (see ``probes.model.Measure``)."""
    prefix = "sigap" if probe.engine in UNPREFIXED else f"sigap_{probe.engine}"
    return f"{prefix}_{measure.name}"


def _variables(engine: str = "", of: str = "sigap_target_up") -> tuple[Json, ...]:
    """What can be chosen: the agents, and the targets that the metric ``of`` names."""

    def within(*selectors: str) -> str:
        return ",".join(each for each in (*selectors, engine) if each)

    agents = (
        variable("job", "Job", of, within(), every=".+"),
        variable("instance", "Agent", of, within('job=~"$job"'), every=".+"),
    )
    if of != "sigap_target_up":
        return (*agents, variable("target", "Server", of, within(AGENT)))
    cluster = variable("cluster", "Cluster", of, within(AGENT), every=".*")
    return (*agents, cluster, variable("target", "Server", of, within(AGENT, IN_CLUSTER)))


def _page(
    name: str, title: str, held: Iterable[Probe], variables: tuple[Json, ...]
) -> Iterator[tuple[str, Json]]:
    rows = tuple(row for row in map(_row, held) if row.panels)
    if rows:
        yield (
            f"{name}.json",
            dashboard(
                f"sigap-{name}",
                f"Sigap – {title}",
                "Every measure with a limit, and the limits in force. / "
                "Setiap ukuran yang berbatas, beserta batas yang berlaku.",
                (DATASOURCE, *variables, SIGAP_URL),
                rows,
                since="now-6h",
            ),
        )


def _row(probe: Probe) -> Row:
    judged = {threshold.measure: threshold for threshold in probe.thresholds}
    panels = tuple(
        panel(probe, measure, judged[measure.name])
        for measure in probe.measures
        if measure.name in judged
    )
    return Row(probe.name.replace("_", " ").capitalize(), panels)


def panel(probe: Probe, measure: Measure, threshold: Threshold) -> Panel:
    """The worst series of one measure over the time shown, and the strictest limits among them."""
    name = series(probe, measure)
    asked = f"{name}{{{SCOPE}}}"
    worst, strictest = ("topk", "min") if threshold.above else ("bottomk", "max")
    furthest = "max_over_time" if threshold.above else "min_over_time"
    shown = asked
    if measure.name.endswith("_total"):
        shown = f"rate({asked}[$__rate_interval])"
    legend = "{{target}}" + (f" {{{{{measure.subject}}}}}" if measure.subject else "")
    # "@ end()" picks the same series at every step, so that no line comes and goes
    values = f"{shown} and {worst}({MOST_SERIES}, {furthest}({asked}[$__range] @ end()))"
    limits = (
        f"{strictest} by (level) (sigap_threshold"
        f'{{{SCOPE},probe="{probe.name}",measure="{measure.name}"}})'
    )
    help_text = measure.help.rstrip(".")
    return lines(
        _title(probe, measure),
        f"{help_text}. {probe.question.en} / {probe.question.id} "
        f"The {MOST_SERIES} worst series of the time shown; dashed: the limits in force.",
        UNITS[measure.unit],
        Query(values, legend),
        Query(limits, "limit: {{level}}"),
        states=measure.unit == "",
        overrides=LIMIT_LINES,
    )


def _title(probe: Probe, measure: Measure) -> str:
    words = measure.name
    for suffix in ("_seconds", "_bytes", "_ratio", "_total"):
        words = words.removesuffix(suffix)
    unit = f" ({measure.unit})" if measure.unit else ""
    return f"{probe.name.replace('_', ' ')}: {words.replace('_', ' ')}{unit}".capitalize()
