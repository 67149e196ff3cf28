"""All metric names: those in the code, and those the probes declare."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

from probes.fleet.catalogue import EVERY_DERIVED_PROBE
from probes.registry import engine_names, probes_for
from tools.dashboards.judged import series

ROOT = Path(__file__).resolve().parents[2]
METRIC = re.compile(r"\bsigap_[a-z0-9_]+")
PROCESS = {"process_cpu_seconds_total", "process_resident_memory_bytes"}


def written_in_code() -> set[str]:
    """Every string constant of the agent's code that is a metric name."""
    found = set()
    for path in (ROOT / "agent").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                found |= {node.value} if METRIC.fullmatch(node.value) else set()
    return found


def measured() -> set[str]:
    """The series of every measure of every probe."""
    return {
        series(probe, measure)
        for name in engine_names()
        for probe in (*probes_for(name), *EVERY_DERIVED_PROBE)
        for measure in probe.measures
    }


@cache
def exported() -> frozenset[str]:
    """Metric names, counters and histograms also in the forms they are asked by."""
    code = written_in_code()
    suffixed = {f"{name}{end}" for name in code for end in ("_total", "_bucket", "_sum", "_count")}
    return frozenset(code | suffixed | measured())


def unknown(expression: str) -> set[str]:
    """Metrics of ours in ``expression`` that nothing exports."""
    recorded = re.compile(r"\b\w+:sigap_\w+:\w+")
    return set(METRIC.findall(recorded.sub("", expression))) - exported()
