"""One panel for every measure that Sigap judges, with its limits drawn from ``sigap_threshold``.

Why: a new probe is one file; its picture must not be a second one. Promise: what a probe declares
(measure, unit, help, question, limits' direction) is all that is used, and a panel never shows
more than its ten worst series, whatever the number of targets.
"""

from __future__ import annotations

from probes.model import Measure, Probe, Threshold
from probes.registry import HOST, engine, engine_names, probes_for
from tools.dashboards.panels import LIMIT_LINES, Panel, Query, Row, lines

SCOPE = 'job=~"$job",instance=~"$instance",target=~"$target"'
MOST_SERIES = 10
UNITS = {"seconds": "s", "bytes": "bytes", "ratio": "percentunit", "": "short"}


def rows() -> tuple[Row, ...]:
    """A collapsed row for each engine, and one for the host."""
    made = []
    host: dict[str, Probe] = {}
    for name in sorted(engine_names()):
        declared = engine(name)
        probes = probes_for(name)
        host |= {probe.name: probe for probe in probes if probe.engine == HOST}
        own = tuple(probe for probe in probes if probe.engine != HOST)
        made.append(_row(declared.title, own))
    made.append(_row("Host", tuple(host.values())))
    return tuple(row for row in made if row.panels)


def series(probe: Probe, measure: Measure) -> str:
    """The name a measure is exported under (see ``probes.model.Measure``)."""
    prefix = "sigap" if probe.engine == HOST else f"sigap_{probe.engine}"
    return f"{prefix}_{measure.name}"


def _row(title: str, probes: tuple[Probe, ...]) -> Row:
    panels = []
    for probe in probes:
        judged = {threshold.measure: threshold for threshold in probe.thresholds}
        panels += [
            panel(probe, measure, judged[measure.name])
            for measure in probe.measures
            if measure.name in judged
        ]
    return Row(title, tuple(panels), collapsed=True)


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
