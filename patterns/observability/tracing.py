"""Traces, from submit to the told outcome: one trace id through the queue, the worker and the callback.

On when OpenTelemetry's usual environment asks for it (`OTEL_EXPORTER_OTLP_ENDPOINT`, or `OTEL_TRACES_EXPORTER` as
otlp or console) and its packages are installed. Off, nothing of it is imported, and every call here does nothing.

A task outlives the request that brought it, so what continues its trace goes along with it: its carrier.
"""

import logging
import os
import threading
from collections.abc import Mapping
from functools import cache

from patterns.observability.tracer import NO_CARRIER, Carrier, Tracer

__all__ = ["NO_CARRIER", "Carrier", "tracing", "wanted_exporter"]

logger = logging.getLogger(__name__)

_set_up = threading.Lock()


@cache
def tracing() -> Tracer:
    """How this process traces. The first call sets it up, for all threads."""
    exporter = wanted_exporter(os.environ)
    if exporter is None:
        return Tracer()
    try:
        from patterns.observability.otel import OpenTelemetry

        with _set_up:
            return OpenTelemetry(exporter)
    except ImportError as error:
        logger.warning(
            "The environment asks for traces, and %s is not installed: there are none. "
            "Install opentelemetry-sdk and opentelemetry-exporter-otlp-proto-http.",
            error.name,
        )
        return Tracer()


def wanted_exporter(env: Mapping[str, str]) -> str | None:
    """The exporter that OpenTelemetry's environment asks for: otlp, console, or None."""
    if env.get("OTEL_SDK_DISABLED", "").strip().lower() == "true":
        return None
    if named := env.get("OTEL_TRACES_EXPORTER", "").strip().lower():
        return named if named in {"otlp", "console"} else None
    endpoints = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
    return "otlp" if any(env.get(endpoint) for endpoint in endpoints) else None
