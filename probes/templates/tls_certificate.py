"""Remaining validity of a server's TLS certificate, shared by the engines."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import UTC, datetime

from probes.i18n.formats import duration, utc_minute
from probes.model import Measure, Measurement, Probe, Session, Text, Threshold

MEASURES = (
    Measure("tls_offered", "", "1 when the server offers TLS."),
    Measure(
        "tls_certificate_expires_in_seconds",
        "seconds",
        "Time until the server's certificate expires; negative once it has.",
    ),
)

_CRITICAL_SECONDS = 7 * 86400.0
_WARNING_SECONDS = 30 * 86400.0
"""An office needs weeks to order a new certificate; critical at the last working week."""


def left(ends: float, now: float, name: str = "", issuer: str = "") -> Measurement:
    """Seconds from ``now``, the server's clock, until it ``ends`` (Unix times)."""
    seconds = ends - now
    until = utc_minute(datetime.fromtimestamp(ends, UTC))
    if seconds > 0:
        said, validity = Text("expires in {time}"), Text("is valid only until {until}")
    else:
        said, validity = Text("expired {time} ago"), Text("expired on {until}")
    return Measurement(
        MEASURES[1].name,
        seconds,
        detail={
            "said": said.format(time=duration(abs(seconds))),
            "until": until,
            "validity": validity.format(until=until),
            "name": name and f", {name}",
            "issuer": issuer or Text("its issuer"),
        },
    )


def probe(
    engine: str,
    *,
    question: Text,
    read: Callable[[Session], Iterable[Measurement]],
    how_to_replace: Text,
    runbook: Text,
) -> Probe:
    """The probe of an engine."""
    return Probe(
        name="tls_certificate",
        engine=engine,
        question=question,
        measures=MEASURES,
        thresholds=(
            Threshold(
                MEASURES[1].name,
                Text("The TLS certificate of {target} {said} ({until}{name})"),
                how_to_replace,
                "certificate",
                warning=_WARNING_SECONDS,
                critical=_CRITICAL_SECONDS,
                above=False,
                clear_after=1,
                headline=Text("The TLS certificate of {target} {validity}{name}"),
            ),
        ),
        read=read,
        every=3600.0,
        runbook=runbook,
    )
