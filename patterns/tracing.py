"""Traces, from submit to the told outcome: one trace id through the queue, the worker and the callback.

On when OpenTelemetry's usual environment asks for it (`OTEL_EXPORTER_OTLP_ENDPOINT`, or `OTEL_TRACES_EXPORTER` as
otlp or console) and its packages are installed. Off, nothing of it is imported, and every call here does nothing.

A task outlives the request that brought it, so what continues its trace goes along with it: its carrier.
"""

import logging
import os
import threading
from collections.abc import Iterable, Mapping
from contextlib import AbstractContextManager, nullcontext
from functools import cache

logger = logging.getLogger(__name__)

#: What goes along with a task: the W3C headers of its trace, and what a later span must know. Empty if none is traced.
Carrier = Mapping[str, str]
NO_CARRIER: Carrier = {}

_set_up = threading.Lock()


class Tracing:
    """Traces nothing, which is what happens unless somebody asks. `otel.OpenTelemetry` fills it."""

    def submit(self, pattern: str, headers: Iterable[tuple[bytes, bytes]]) -> AbstractContextManager[None]:
        """The span of a submit request with these headers."""
        return nullcontext()

    def accepted(self, task_id: str) -> None:
        """The submit that this is in brought this task."""

    def answered(self, status: int) -> None:
        """The submit that this is in is answered with this status."""

    def carrier(self) -> Carrier:
        """What is to go along with the task that the submit brings that this is in."""
        return NO_CARRIER

    def run(self, task_id: str, carrier: Carrier) -> AbstractContextManager[None]:
        """The span of one run of a task, after the span of its wait in the queue."""
        return nullcontext()

    def finished(self, state: str, code: str | None) -> None:
        """The run that this is in ends its task so."""

    def deliver(self, task_id: str, carrier: Carrier) -> AbstractContextManager[Mapping[str, str]]:
        """The span of one attempt to tell an outcome. Gives the headers that continue the trace at the receiver."""
        return nullcontext(NO_CARRIER)

    def told(self, status: int) -> None:
        """The receiver has answered the attempt that this is in with this status."""

    def flush(self) -> None:
        """Send what is left, before this process ends."""


@cache
def tracing() -> Tracing:
    """How this process traces. The first call sets it up, for all threads."""
    exporter = wanted_exporter(os.environ)
    if exporter is None:
        return Tracing()
    try:
        from patterns.otel import OpenTelemetry

        with _set_up:
            return OpenTelemetry(exporter)
    except ImportError as error:
        logger.warning(
            "The environment asks for traces, and %s is not installed: there are none. "
            "Install opentelemetry-sdk and opentelemetry-exporter-otlp-proto-http.",
            error.name,
        )
        return Tracing()


def wanted_exporter(env: Mapping[str, str]) -> str | None:
    """The exporter that OpenTelemetry's environment asks for: otlp, console, or None."""
    if env.get("OTEL_SDK_DISABLED", "").strip().lower() == "true":
        return None
    if named := env.get("OTEL_TRACES_EXPORTER", "").strip().lower():
        return named if named in {"otlp", "console"} else None
    endpoints = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
    return "otlp" if any(env.get(endpoint) for endpoint in endpoints) else None
