"""Dashboard "Sigap – Database health": which servers have a fault, which one, since when.

From the top: counts, servers with links to their incidents, verdicts over time, and the cost of
Sigap itself. The measures behind a verdict are in the dashboards of ``judged``.
"""

from __future__ import annotations

from tools.dashboards import judged
from tools.dashboards.panels import (
    DATASOURCE,
    GREEN,
    ORANGE,
    RED,
    SIGAP_URL,
    UP_DOWN,
    VERDICTS,
    Json,
    Panel,
    Query,
    Row,
    dashboard,
    lines,
    mapped,
    number,
    override,
    states,
    steps,
    table,
    variable,
)

AGENT = judged.AGENT
SCOPE = judged.SCOPE
WHERE = f'{AGENT},engine=~"$engine",cluster=~"$cluster"'
AGE = f"time() - sigap_probe_last_reading_timestamp_seconds{{{SCOPE}}}"
ROUND = f"sigap_probe_interval_seconds{{{SCOPE}}}"

TROUBLE = {"thresholds": steps((None, GREEN), (1, RED)), "color": {"mode": "thresholds"}}
NOTICE = {"thresholds": steps((None, GREEN), (1, ORANGE)), "color": {"mode": "thresholds"}}

# Names are searched for, not numbers: an incident's number is no label (one series for each).
INCIDENT_LINK = {
    "title": "Open incidents of ${__data.fields.target}",
    "url": "${sigap_url}/archive?state=open&q=${__data.fields.target:percentencode}",
    "targetBlank": True,
}
_HIDDEN = dict.fromkeys(("Time", "__name__", "job", "instance"), True)


def _coloured(values: tuple[tuple[str, str, str], ...]) -> Json:
    return {"mappings": mapped(values), "custom__cellOptions": {"type": "color-text"}}


def build() -> Json:
    """The dashboard as Grafana reads it."""
    return dashboard(
        "sigap-health",
        "Sigap – Database health",
        "Kesehatan basis data: every server Sigap watches, and what it finds there. Sigap opens "
        "incidents by itself; the dashboards of each engine show what they rest on.",
        (
            DATASOURCE,
            variable("job", "Job", "sigap_target_up", every=".+"),
            variable("instance", "Agent", "sigap_target_up", 'job=~"$job"', every=".+"),
            variable("engine", "Engine", "sigap_target_up", AGENT, every=".+"),
            variable("cluster", "Cluster", "sigap_target_up", AGENT, every=".*"),
            variable("target", "Server", "sigap_target_up", WHERE),
            SIGAP_URL,
        ),
        (_now(), _verdicts(), _watcher()),
        since="now-6h",
    )


def _now() -> Row:
    return Row("Now / Sekarang", (*_counts(), _servers()))


def _counts() -> tuple[Panel, ...]:
    return (
        number(
            "Servers up",
            "Servers that answered and can be used. / Server yang dapat dipakai.",
            "short",
            f"sum(sigap_target_up{{{SCOPE}}})",
        ),
        number(
            "Servers down",
            "Servers that cannot be used. / Server yang tidak dapat dipakai.",
            "short",
            f"count(sigap_target_up{{{SCOPE}}} == 0) or vector(0)",
            defaults=TROUBLE,
        ),
        number(
            "Critical findings",
            "Verdicts beyond their critical limit. / Temuan kritis.",
            "short",
            f"count(sigap_finding_severity{{{SCOPE}}} == 2) or vector(0)",
            defaults=TROUBLE,
        ),
        number(
            "Warnings",
            "Verdicts beyond their warning limit. / Temuan peringatan.",
            "short",
            f"count(sigap_finding_severity{{{SCOPE}}} == 1) or vector(0)",
            defaults=NOTICE,
        ),
        number(
            "Probes that do not see",
            "A missing grant or instrument; blind is not OK. / Probe yang tidak dapat melihat.",
            "short",
            f'count(sigap_finding_severity{{{SCOPE},measure="blind"}} > 0) or vector(0)',
            defaults=NOTICE,
        ),
        number(
            "Stale probes",
            "Probes silent for more than three of their own intervals. / Probe yang basi.",
            "short",
            f"count({AGE} > 3 * {ROUND}) or vector(0)",
            defaults=TROUBLE,
        ),
    )


def _servers() -> Panel:
    return table(
        "Servers",
        "One row a server, the worst first; the name leads to its open incidents. / "
        "Satu baris tiap server; namanya menuju gangguan yang masih terbuka.",
        Query(f"sigap_target_up{{{SCOPE}}}", instant=True),
        Query(f"max by (target) (sigap_finding_severity{{{SCOPE}}})", instant=True),
        Query(f"max by (target) ({AGE})", instant=True),
        transformations=(
            {"id": "merge", "options": {}},
            {
                "id": "organize",
                "options": {
                    "excludeByName": _HIDDEN,
                    "indexByName": {
                        "target": 0,
                        "engine": 1,
                        "cluster": 2,
                        "role": 3,
                        "Value #A": 4,
                        "Value #B": 5,
                        "Value #C": 6,
                    },
                    "renameByName": {
                        "Value #A": "up",
                        "Value #B": "worst verdict",
                        "Value #C": "oldest reading",
                    },
                },
            },
            {
                "id": "sortBy",
                "options": {"sort": [{"field": "worst verdict", "desc": True}]},
            },
        ),
        overrides=(
            override("byName", "target", links=[INCIDENT_LINK]),
            override("byName", "up", **_coloured(UP_DOWN)),
            override("byName", "worst verdict", **_coloured(VERDICTS)),
            override("byName", "oldest reading", unit="s", decimals=0),
        ),
    )


def _verdicts() -> Row:
    return Row(
        "Verdicts / Temuan",
        (
            states(
                "Worst verdict by server",
                "The worst verdict on any measure of the server. / Temuan terburuk tiap server.",
                Query(f"max by (target) (sigap_finding_severity{{{SCOPE}}})", "{{target}}"),
                VERDICTS,
            ),
            table(
                "Findings now",
                "Everything beyond a limit at this moment. / Semua yang melewati batas saat ini.",
                Query(f"sigap_finding_severity{{{SCOPE}}} > 0", instant=True),
                transformations=(
                    {
                        "id": "organize",
                        "options": {
                            "excludeByName": _HIDDEN,
                            "indexByName": {
                                "target": 0,
                                "probe": 1,
                                "measure": 2,
                                "subject": 3,
                                "Value": 4,
                            },
                            "renameByName": {"Value": "verdict"},
                        },
                    },
                    {"id": "sortBy", "options": {"sort": [{"field": "verdict", "desc": True}]}},
                ),
                overrides=(
                    override("byName", "target", links=[INCIDENT_LINK]),
                    override("byName", "verdict", **_coloured(VERDICTS)),
                ),
            ),
        ),
    )


def _watcher() -> Row:
    panels = (*_readings(), *_own_cost())
    return Row("The watcher itself / Pemantau sendiri", panels, collapsed=True)


def _readings() -> tuple[Panel, ...]:
    most = judged.MOST_SERIES
    duration = f"sigap_probe_duration_seconds{{{SCOPE}}}"
    last_reading = f"sigap_probe_last_reading_timestamp_seconds{{{SCOPE}}}"
    return (
        lines(
            "Age of the last reading",
            "The probes that were silent longest, in their own intervals: above 3 is stale. / "
            "Umur bacaan terakhir, dalam selang waktu probe itu sendiri.",
            "short",
            Query(
                f"({AGE}) / {ROUND} and bottomk({most}, "
                f"max_over_time({last_reading}[$__range] @ end()))",
                "{{target}} {{probe}}",
            ),
        ),
        lines(
            "Duration of a reading",
            "The slowest probes of the time shown. / Probe yang paling lambat.",
            "s",
            Query(
                f"{duration} and topk({most}, max_over_time({duration}[$__range] @ end()))",
                "{{target}} {{probe}}",
            ),
        ),
        lines(
            "Failed readings by kind",
            "Readings that failed, each second, by the kind of failure. / Bacaan yang gagal.",
            "reqps",
            Query(
                f"sum by (kind) (rate(sigap_probe_failures_total{{{SCOPE}}}[$__rate_interval]))",
                "{{kind}}",
            ),
        ),
    )


def _own_cost() -> tuple[Panel, ...]:
    return (
        lines(
            "Sessions held on the servers",
            "Sessions each agent holds; three on one server are the most it may take. / "
            "Sesi yang dipegang agen.",
            "short",
            Query(f"sum by (instance) (sigap_agent_sessions{{{SCOPE}}})", "{{instance}} in all"),
            Query(
                f"max by (instance) (sigap_agent_sessions{{{SCOPE}}})",
                "{{instance}} most on one server",
            ),
            states=True,
        ),
        lines(
            "Time spent asking",
            "Seconds of each second that agents wait for servers' answers. / Waktu bertanya.",
            "percentunit",
            Query(
                "sum by (instance) "
                f"(rate(sigap_agent_db_seconds_total{{{SCOPE}}}[$__rate_interval]))",
                "{{instance}}",
            ),
        ),
        lines(
            "Processor of the agent",
            "Share of one core. / Pemakaian prosesor agen.",
            "percentunit",
            Query(f"rate(process_cpu_seconds_total{{{AGENT}}}[$__rate_interval])", "{{instance}}"),
        ),
        lines(
            "Memory of the agent",
            "Resident memory. / Memori agen.",
            "bytes",
            Query(f"process_resident_memory_bytes{{{AGENT}}}", "{{instance}}"),
        ),
    )
