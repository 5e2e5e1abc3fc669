"""Tracing, from submit to callback: one trace id through the queue, the worker and the delivery.

It is on if OpenTelemetry's usual environment variables ask for it (`OTEL_EXPORTER_OTLP_ENDPOINT`, or
`OTEL_TRACES_EXPORTER` set to otlp or console) and its packages are installed. If it is off, nothing is imported.

A task outlives its submit request, so its trace context is stored with it: the carrier.
"""

import logging
import os
import threading
from collections.abc import Mapping
from functools import cache

from patterns.observability.tracer import NO_CARRIER, Carrier, Tracer

__all__ = ["NO_CARRIER", "Carrier", "configured_exporter", "tracing"]

logger = logging.getLogger(__name__)

_set_up = threading.Lock()


@cache
def tracing() -> Tracer:
    """The tracer of this process. The first call creates it, for all threads."""
    exporter = configured_exporter(os.environ)
    if exporter is None:
        return Tracer()
    try:
        from patterns.observability.otel import OpenTelemetry

        with _set_up:
            return OpenTelemetry(exporter)
    except ImportError as error:
        logger.warning(
            "Tracing is off: the environment asks for it, but %s is not installed. "
            "Install opentelemetry-sdk and opentelemetry-exporter-otlp-proto-http.",
            error.name,
        )
        return Tracer()


def configured_exporter(env: Mapping[str, str]) -> str | None:
    """The exporter that OpenTelemetry's environment variables select: otlp, console, or None."""
    if env.get("OTEL_SDK_DISABLED", "").strip().lower() == "true":
        return None
    if exporter := env.get("OTEL_TRACES_EXPORTER", "").strip().lower():
        return exporter if exporter in {"otlp", "console"} else None
    endpoints = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
    return "otlp" if any(env.get(endpoint) for endpoint in endpoints) else None
