"""Building blocks of a Grafana dashboard, in the classic schema, as plain dictionaries.

Every panel has a title, a description and a unit, an id that stays the same when others are added
or removed, and a data source by variable. The tests validate the result against Grafana's own
types.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

Json = dict[str, Any]

SOURCE: Json = {"type": "prometheus", "uid": "${datasource}"}
SCHEMA_VERSION = 42
WIDTH = 24  # columns of Grafana's grid

RED, ORANGE, GREEN, BLUE = "red", "orange", "green", "blue"
LEGEND: Json = {"displayMode": "list", "placement": "bottom", "showLegend": True, "calcs": []}
VERDICTS: tuple[tuple[str, str, str], ...] = (
    ("0", "clear", GREEN),
    ("1", "warning", ORANGE),
    ("2", "critical", RED),
)
UP_DOWN: tuple[tuple[str, str, str], ...] = (("0", "down", RED), ("1", "up", GREEN))


@dataclass(frozen=True, slots=True)
class Query:
    """One expression; ``legend`` names its series, ``instant`` asks for the present only."""

    expr: str
    legend: str = "__auto"
    instant: bool = False


@dataclass(frozen=True, slots=True)
class Panel:
    """A panel before it has a place."""

    title: str
    description: str
    kind: str
    queries: tuple[Query, ...]
    unit: str
    options: Json
    width: int = 8
    height: int = 8
    custom: Json = field(default_factory=dict)
    defaults: Json = field(default_factory=dict)
    overrides: tuple[Json, ...] = ()
    transformations: tuple[Json, ...] = ()


def mapped(values: Iterable[tuple[str, str, str]]) -> list[Json]:
    """A number shown as a word and a colour."""
    options = {value: {"text": text, "color": colour} for value, text, colour in values}
    return [{"type": "value", "options": options}]


def steps(*limits: tuple[float | None, str]) -> Json:
    """Where a single number changes colour; only for counts of trouble, never for a limit."""
    return {
        "mode": "absolute",
        "steps": [{"value": value, "color": colour} for value, colour in limits],
    }


def override(matcher: str, of: str, **properties: Any) -> Json:
    """What is different for one field; ``custom__lineStyle`` stands for ``custom.lineStyle``."""
    return {
        "matcher": {"id": matcher, "options": of},
        "properties": [
            {"id": name.replace("__", "."), "value": value} for name, value in properties.items()
        ],
    }


LIMIT_LINES = tuple(
    override(
        "byName",
        f"limit: {level}",
        color={"mode": "fixed", "fixedColor": colour},
        custom__lineStyle={"fill": "dash", "dash": [8, 6]},
        custom__fillOpacity=0,
        custom__lineWidth=1,
    )
    for level, colour in (("warning", ORANGE), ("critical", RED))
)


def lines(
    title: str, description: str, unit: str, *queries: Query, states: bool = False, **more: Any
) -> Panel:
    """Values over time; ``states`` draws steps, for what has no value in between."""
    return Panel(
        title,
        description,
        "timeseries",
        queries,
        unit,
        {
            "legend": LEGEND,
            "tooltip": {"mode": "multi", "sort": "desc"},
        },
        custom={
            "drawStyle": "line",
            "lineInterpolation": "stepAfter" if states else "linear",
            "lineWidth": 1,
            "fillOpacity": 0,
            "showPoints": "never",
            "spanNulls": False,
        },
        **more,
    )


def number(title: str, description: str, unit: str, expr: str, **more: Any) -> Panel:
    """One number that a person takes in at a glance."""
    options = {
        "reduceOptions": {"calcs": ["lastNotNull"], "fields": "", "values": False},
        "colorMode": "value",
        "graphMode": "none",
        "justifyMode": "auto",
        "orientation": "auto",
        "textMode": "auto",
        "wideLayout": True,
        "showPercentChange": False,
        "percentChangeColorMode": "standard",
    }
    more = {"width": 4, "height": 4} | more
    return Panel(title, description, "stat", (Query(expr, instant=True),), unit, options, **more)


def table(title: str, description: str, *queries: Query, **more: Any) -> Panel:
    """Rows of the present; the queries are merged on the labels they share."""
    options = {"showHeader": True, "cellHeight": "sm", "frameIndex": 0}
    custom = {"align": "auto", "cellOptions": {"type": "auto"}, "inspect": False}
    more = {"width": WIDTH, "height": 9} | more
    return Panel(title, description, "table", queries, "none", options, custom=custom, **more)


def states(
    title: str,
    description: str,
    query: Query,
    values: Iterable[tuple[str, str, str]],
    **more: Any,
) -> Panel:
    """What state something was in, and when it changed."""
    options = {
        "mergeValues": True,
        "showValue": "never",
        "alignValue": "left",
        "rowHeight": 0.85,
        "perPage": 20,
        "legend": LEGEND,
        "tooltip": {"mode": "single", "sort": "none"},
    }
    defaults = {"mappings": mapped(values), "color": {"mode": "fixed", "fixedColor": BLUE}}
    custom = {"fillOpacity": 75, "lineWidth": 0}
    more = {"width": WIDTH, "height": 9} | more
    return Panel(
        title,
        description,
        "state-timeline",
        (query,),
        "none",
        options,
        custom=custom,
        defaults=defaults,
        **more,
    )


@dataclass(frozen=True, slots=True)
class Row:
    """A heading with panels below; a collapsed one asks nothing until somebody opens it."""

    title: str
    panels: tuple[Panel, ...]
    collapsed: bool = False


def _id(*words: str) -> int:
    return zlib.crc32("/".join(words).encode()) & 0x7FFFFFFF


def _target(index: int, query: Query, kind: str) -> Json:
    return {
        "refId": chr(ord("A") + index),
        "datasource": SOURCE,
        "editorMode": "code",
        "expr": query.expr,
        "legendFormat": query.legend,
        "instant": query.instant,
        "range": not query.instant,
        "format": "table" if kind == "table" else "time_series",
    }


def _panel(row: str, panel: Panel, x: int, y: int) -> Json:
    made: Json = {
        "id": _id(row, panel.title),
        "type": panel.kind,
        "title": panel.title,
        "description": panel.description,
        "datasource": SOURCE,
        "gridPos": {"x": x, "y": y, "w": panel.width, "h": panel.height},
        "targets": [_target(i, q, panel.kind) for i, q in enumerate(panel.queries)],
        "fieldConfig": {
            "defaults": {"unit": panel.unit, "custom": panel.custom} | panel.defaults,
            "overrides": list(panel.overrides),
        },
        "options": panel.options,
    }
    if panel.transformations:
        made["transformations"] = list(panel.transformations)
    return made


def laid_out(rows: Iterable[Row]) -> list[Json]:
    """Give every panel its place and its id. Raises ``ValueError`` when two ids collide."""
    out: list[Json] = []
    y = 0
    for row in rows:
        heading: Json = {
            "id": _id(row.title),
            "type": "row",
            "title": row.title,
            "collapsed": row.collapsed,
            "gridPos": {"x": 0, "y": y, "w": WIDTH, "h": 1},
            "panels": [],
        }
        out.append(heading)
        y += 1
        below, y_after = _placed(row, y)
        if row.collapsed:
            heading["panels"] = below
        else:
            out += below
            y = y_after
    ids = [each["id"] for top in out for each in (top, *top.get("panels", ()))]
    if len(ids) != len(set(ids)):
        raise ValueError("two panels got the same id: give one of them another title")
    return out


def _placed(row: Row, y: int) -> tuple[list[Json], int]:
    placed: list[Json] = []
    x = tallest = 0
    for panel in row.panels:
        if x + panel.width > WIDTH:
            x, y, tallest = 0, y + tallest, 0
        placed.append(_panel(row.title, panel, x, y))
        x, tallest = x + panel.width, max(tallest, panel.height)
    return placed, y + tallest


def variable(name: str, label: str, metric: str, where: str = "", every: str = "") -> Json:
    """A list of a label's values, several at once, asked again when the time range changes.

    ``every`` is what "All" stands for; without it Grafana lists the values one by one, which keeps
    a choice made further left in force.
    """
    made: Json = {
        "name": name,
        "label": label,
        "type": "query",
        "datasource": SOURCE,
        "query": {"query": f"label_values({metric}{{{where}}}, {name})", "refId": name},
        "refresh": 2,
        "sort": 1,
        "multi": True,
        "includeAll": True,
        "current": {"text": ["All"], "value": ["$__all"]},
    }
    if every:
        made["allValue"] = every
    return made


DATASOURCE: Json = {
    "name": "datasource",
    "label": "Data source",
    "type": "datasource",
    "query": "prometheus",
    "multi": False,
    "includeAll": False,
}
SIGAP_URL: Json = {
    "name": "sigap_url",
    "label": "Sigap's address",
    "description": "Where Sigap's own pages are; the links to incidents start with it.",
    "type": "textbox",
    "query": "http://127.0.0.1:9480",
    "current": {"text": "http://127.0.0.1:9480", "value": "http://127.0.0.1:9480"},
}


def _link(title: str, **more: Any) -> Json:
    common = {"asDropdown": False, "icon": "external link", "tooltip": "", "tags": [], "url": ""}
    return common | {"title": title, "targetBlank": False} | more


def dashboard(
    uid: str,
    title: str,
    description: str,
    variables: Sequence[Mapping[str, Any]],
    rows: Sequence[Row],
    *,
    since: str,
) -> Json:
    """A whole dashboard, ready to be written down."""
    return {
        "uid": uid,
        "title": title,
        "description": description,
        "tags": ["sigap"],
        "schemaVersion": SCHEMA_VERSION,
        "version": 1,
        "editable": False,
        "graphTooltip": 1,
        "refresh": "30s",
        "timezone": "browser",
        "time": {"from": since, "to": "now"},
        "timepicker": {},
        "templating": {"list": [dict(each) for each in variables]},
        "annotations": {"list": []},
        "links": [
            _link(
                "Sigap",
                type="dashboards",
                tags=["sigap"],
                includeVars=True,
                keepTime=True,
                asDropdown=True,
            ),
            _link(
                "Incidents",
                type="link",
                url="${sigap_url}/",
                includeVars=False,
                keepTime=False,
                targetBlank=True,
            ),
        ],
        "panels": laid_out(rows),
    }
