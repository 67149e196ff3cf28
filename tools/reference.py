"""Writes docs/probes.md and docs/metrics.md from the declarations in the code.

    python -m tools.reference

A test fails when the committed pages differ from the output.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

from agent.metrics.readings import measure_family
from incidents.web.display.advice import guide
from probes import Probe, Threshold, registry
from probes.fleet.catalogue import EVERY_DERIVED_PROBE
from probes.fleet.observation import DERIVED
from probes.words.units import written

ROOT = Path(__file__).resolve().parents[1]


def probes_page() -> str:
    """Every probe: its question, metrics, limits, rights, and what to do."""
    lines = [
        "# Probes",
        "",
        "Written by `python -m tools.reference` from the declarations in `probes/`. Limits are the",
        "declared ones; `agent.yaml` may change them per target.",
        "",
        "*Raises after* and *clears after* count consecutive readings: a finding is raised after",
        "so many beyond its limit, and clears after so many within it. With 2 and an interval of",
        "15 s, that is the second bad reading, 15 s after the first. The last part,",
        "[The agent](#the-agent), has the derived probes, which query nothing and are computed",
        "from the others. Their limits are fixed.",
    ]
    engines = [registry.engine(name) for name in registry.engine_names()]
    titles = {engine.name: engine.title for engine in engines} | {registry.HOST: "The host"}
    for folder, title in titles.items():
        lines += ["", f"## {title}"]
        for probe in _of(folder):
            lines += ["", *_probe(probe)]
    lines += ["", "## The agent"]
    for probe in EVERY_DERIVED_PROBE:
        lines += ["", *_probe(probe)]
    return "\n".join(lines) + "\n"


def _of(folder: str) -> list[Probe]:
    engine = registry.engine_names()[0] if folder == registry.HOST else folder
    return [probe for probe in registry.probes_for(engine) if probe.engine == folder]


def _probe(probe: Probe) -> Iterator[str]:
    yield f"### {probe.name}"
    yield ""
    yield f"{probe.question.en} *{probe.question.id}*"
    yield ""
    every = written(probe.every, "seconds").en if probe.every else "the agent's interval"
    shown = probe.exhibits or probe.exhibits_when_down
    shows = "; takes evidence at the first bad reading" if shown else ""
    asked = "Derived" if probe.engine == DERIVED else f"Runs every: {every}"
    yield f"{asked}{shows}."
    yield ""
    yield "| metric | unit | label | meaning |"
    yield "|---|---|---|---|"
    for measure in probe.measures:
        name = measure_family(probe, measure).name
        yield f"| `{name}` | {measure.unit} | {measure.subject} | {_cell(measure.help)} |"
    if probe.thresholds:
        yield ""
        yield "| measure | warning | critical | raises after | clears after | family |"
        yield "|---|---|---|---|---|---|"
        units = {measure.name: measure.unit for measure in probe.measures}
        for threshold in probe.thresholds:
            yield _limits(threshold, units[threshold.measure])
    rights = sorted({f"`{grant.sql}` ({grant.flavour})" for grant in probe.grants})
    if rights:
        yield ""
        yield "Needs: " + "; ".join(rights) + "."
    if probe.runbook.en:
        yield ""
        yield "What to do:"
        yield ""
        yield from _steps(probe.runbook.en)
        yield ""
        yield "Yang dilakukan:"
        yield ""
        yield from _steps(probe.runbook.id)


def _steps(runbook: str) -> Iterator[str]:
    """A runbook as a numbered list."""
    for number, step in enumerate(guide(runbook).steps, start=1):
        said = "".join(
            piece.text if piece.kind == "words" else f"`{piece.text}` " if piece.kind == "command"
            else f"`{piece.text}`" for piece in step
        )  # fmt: skip
        yield f"{number}. {said.rstrip()}"


def _limits(threshold: Threshold, unit: str) -> str:
    side = "≥" if threshold.above else "≤"
    limits = [
        "" if limit is None else f"{side} {written(limit, unit).en}"
        for limit in (threshold.warning, threshold.critical)
    ]
    return (
        f"| {threshold.measure} | {limits[0]} | {limits[1]} | {threshold.raise_after} "
        f"| {threshold.clear_after} | {threshold.family} |"
    )


def metrics_page() -> str:
    """The agent's own series; those of the probes stand in docs/probes.md."""
    lines = [
        "# Metrics",
        "",
        "Written by `python -m tools.reference`. The measures of the probes, `sigap_<engine>_…`",
        "and for the host `sigap_…`, are in [probes.md](probes.md). Every series is served from",
        "memory.",
        "",
        "| metric | kind | meaning |",
        "|---|---|---|",
    ]
    found = {name: (kind, text) for name, kind, text in _declared()}
    lines += [
        f"| `{name}` | {kind} | {_cell(text)} |" for name, (kind, text) in sorted(found.items())
    ]
    return "\n".join(lines) + "\n"


def _declared() -> Iterator[tuple[str, str, str]]:
    """Name, kind and help wherever the agent declares a series, read from the source."""
    files = (path for room in ("agent", "probes/fleet") for path in (ROOT / room).rglob("*.py"))
    for path in sorted(files):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not isinstance(node, ast.Call) or len(node.args) < 2:
                continue
            name, text = (_string(argument) for argument in node.args[:2])
            if not name.startswith("sigap_") or not text:
                continue
            called = ast.unparse(node.func).lower()
            rest = [_string(argument) for argument in node.args[2:]]
            kind = "gauge"
            if "counter" in called or "counter" in rest:
                kind = "counter"
            elif "histogram" in called:
                kind = "histogram"
            total = kind == "counter" and not name.endswith("_total")
            yield (f"{name}_total" if total else name), kind, text


def _string(node: ast.expr) -> str:
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else ""


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


PAGES = {"probes.md": probes_page, "metrics.md": metrics_page}

if __name__ == "__main__":
    for page, write in PAGES.items():
        (ROOT / "docs" / page).write_text(write(), encoding="utf-8")
