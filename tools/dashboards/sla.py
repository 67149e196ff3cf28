"""Dashboard "Sigap – SLA compliance": whether the office keeps the procedure's time standards.

Several desks on one store export the same numbers, so every expression takes the maximum over
instances before it sums.
"""

from __future__ import annotations

from tools.dashboards.panels import (
    DATASOURCE,
    GREEN,
    RED,
    SIGAP_URL,
    Json,
    Panel,
    Query,
    Row,
    dashboard,
    lines,
    number,
    steps,
    variable,
)

DESK = 'job=~"$job",instance=~"$instance"'
STEP = f'{DESK},step=~"$step"'
PROBLEM = {"thresholds": steps((None, GREEN), (1, RED)), "color": {"mode": "thresholds"}}


def _once(labels: str, expr: str) -> str:
    """One copy of what equal desks all export."""
    return f"max by (job, {labels}) ({expr})"


def _grown(metric: str, where: str, labels: str) -> str:
    return _once(labels, f"increase({metric}{{{where}}}[$__range])")


def _met(metric: str, where: str, labels: str, by: str) -> str:
    """Share met of what was signed in the time shown, by the labels ``by``."""
    met = _grown(metric, f'{where},result="met"', labels)
    signed = _grown(metric, where, labels)
    group = f" by ({by})" if by else ""
    # nothing signed gives 0/0: no value, never a perfect score
    return f"sum{group} ({met}) / sum{group} ({signed})"


def build() -> Json:
    """The dashboard as Grafana reads it."""
    return dashboard(
        "sigap-sla",
        "Sigap – SLA compliance",
        "Kepatuhan terhadap waktu baku SOP: what is open, what runs late, and how well each step "
        "keeps its standard in working time. Percentages are of the time shown above.",
        (
            DATASOURCE,
            variable("job", "Job", "sigap_ledger_head_sequence", every=".+"),
            variable("instance", "Desk", "sigap_ledger_head_sequence", 'job=~"$job"', every=".+"),
            # no word for "all": the list leaves out the "overall" of sigap_sla_open_breaches
            variable("step", "Step", "sigap_sla_step_signed_total", DESK),
            SIGAP_URL,
        ),
        (_now(), _kept(), _flow(), _ledger()),
        since="now-30d",
    )


def _now() -> Row:
    open_now = _once("step, severity", f"sigap_incidents_open{{{STEP}}}")
    due = f"min by (step) (sigap_sla_next_due_timestamp_seconds{{{STEP}}})"
    return Row("Now / Sekarang", (*_figures(open_now, due), *_by_step(open_now, due)))


def _figures(open_now: str, due: str) -> tuple[Panel, ...]:
    breaches = _once("step", f"sigap_sla_open_breaches{{{STEP}}}")
    return (
        number(
            "Open incidents",
            "Incidents whose ninth step is not signed. / Gangguan yang belum selesai.",
            "short",
            f"sum({open_now})",
        ),
        number(
            "Open breaches",
            "Standards passed by incidents still open. / Waktu baku terlampaui, masih terbuka.",
            "short",
            f"sum({breaches})",
            defaults=PROBLEM,
        ),
        number(
            "Past the overall limit",
            "Open incidents older than three working days. / Melampaui tiga hari kerja.",
            "short",
            f'max(sigap_sla_open_breaches{{{DESK},step="overall"}})',
            defaults=PROBLEM,
        ),
        number(
            "Next due",
            "Time left to the nearest deadline; negative: it has passed. / Sisa waktu.",
            "s",
            f"min({due}) - time()",
            defaults={
                "thresholds": steps((None, RED), (0, GREEN)),
                "color": {"mode": "thresholds"},
            },
        ),
        number(
            "Steps on time",
            "Share of steps signed within their standard. / Langkah yang tepat waktu.",
            "percentunit",
            _met("sigap_sla_step_signed_total", STEP, "step, result", ""),
        ),
        number(
            "Incidents on time",
            "Share of incidents closed within three working days. / Gangguan yang tepat waktu.",
            "percentunit",
            _met("sigap_sla_overall_closed_total", DESK, "result", ""),
        ),
    )


def _by_step(open_now: str, due: str) -> tuple[Panel, ...]:
    return (
        lines(
            "Open incidents by step",
            "Where the work lies. / Gangguan terbuka menurut langkah.",
            "short",
            Query(f"sum by (step) ({open_now})", "{{step}}"),
            states=True,
            width=8,
        ),
        lines(
            "Open incidents by severity",
            "How grave the open work is. / Gangguan terbuka menurut tingkat.",
            "short",
            Query(f"sum by (severity) ({open_now})", "{{severity}}"),
            states=True,
        ),
        lines(
            "Time left by step",
            "To the nearest deadline of each step, on the wall clock; below zero: passed. / "
            "Sisa waktu tiap langkah.",
            "s",
            Query(f"{due} - time()", "{{step}}"),
        ),
    )


def _kept() -> Row:
    bucket = _once(
        "step, le", f"increase(sigap_sla_step_working_seconds_bucket{{{STEP}}}[$__range])"
    )

    def taken(quantile: float, title: str, in_words: str) -> Panel:
        return lines(
            title,
            in_words,
            "s",
            Query(f"histogram_quantile({quantile}, sum by (step, le) ({bucket}))", "{{step}}"),
            width=12,
        )

    return Row(
        "Standards kept / Waktu baku ditepati",
        (
            lines(
                "On time by step",
                "Share of sign-offs within the step's standard, over a window as long as the time "
                "shown. / Bagian langkah yang tepat waktu.",
                "percentunit",
                Query(
                    _met("sigap_sla_step_signed_total", STEP, "step, result", "step"), "{{step}}"
                ),
                width=12,
            ),
            lines(
                "Breaches still open by step",
                "Standards passed by incidents still open. / Waktu baku terlampaui tiap langkah.",
                "short",
                Query(
                    f"sum by (step) ({_once('step', f'sigap_sla_open_breaches{{{STEP}}}')})",
                    "{{step}}",
                ),
                states=True,
                width=12,
            ),
            taken(
                0.5,
                "Working time a step takes: median",
                "Half of the sign-offs took less, in working time. / Nilai tengah waktu kerja.",
            ),
            taken(
                0.9,
                "Working time a step takes: nine of ten",
                "Nine of ten sign-offs took less, in working time. / Persentil ke-90 waktu kerja.",
            ),
        ),
    )


def _flow() -> Row:
    acknowledged = _once(
        "le", f"increase(sigap_time_to_acknowledge_seconds_bucket{{{DESK}}}[$__range])"
    )
    return Row(
        "Flow / Arus pekerjaan",
        (
            lines(
                "Opened by source and family",
                "Incidents opened in a window as long as the time shown. / Gangguan yang dibuka.",
                "short",
                Query(
                    "sum by (source, family) "
                    f"({_grown('sigap_incidents_opened_total', DESK, 'source, family')})",
                    "{{source}} {{family}}",
                ),
            ),
            lines(
                "Closed by outcome",
                "Finished, not a disruption, or a duplicate. / Gangguan yang ditutup.",
                "short",
                Query(
                    f"sum by (outcome) ({_grown('sigap_incidents_closed_total', DESK, 'outcome')})",
                    "{{outcome}}",
                ),
            ),
            lines(
                "Sent back by step",
                'Verdicts "Tidak" of steps 7 and 8, and all others, by verdict. / Pengembalian.',
                "short",
                Query(
                    "sum by (step, verdict) "
                    f"({_grown('sigap_step_visits_total', STEP, 'step, verdict')})",
                    "{{step}} {{verdict}}",
                ),
            ),
            lines(
                "Time to acknowledge",
                "From opening to the first person's word: median and nine of ten. / "
                "Waktu sampai ditanggapi.",
                "s",
                Query(f"histogram_quantile(0.5, sum by (le) ({acknowledged}))", "median"),
                Query(f"histogram_quantile(0.9, sum by (le) ({acknowledged}))", "nine of ten"),
            ),
        ),
    )


def _ledger() -> Row:
    return Row(
        "Ledger / Buku catatan",
        (
            lines(
                "Events written",
                "Events added to the ledger between two points. / Peristiwa dicatat.",
                "short",
                Query(
                    # a gauge that only grows: its difference, not a rate, shows a cut as well
                    f"max by (job) (delta(sigap_ledger_head_sequence{{{DESK}}}[$__rate_interval]))",
                    "{{job}}",
                ),
                width=12,
            ),
            lines(
                "Age of the last verification",
                "Since the whole chain was last read and found right. / Umur verifikasi terakhir.",
                "s",
                Query(
                    f"time() - max by (job) (sigap_ledger_verified_timestamp_seconds{{{DESK}}})",
                    "{{job}}",
                ),
                width=12,
            ),
        ),
        collapsed=True,
    )
