"""The OpenTelemetry implementation of `Tracer`. Imported only if tracing is on, because its packages are optional.

The root span of a task is `submit`. Its children are `wait`, `run` and one `deliver` for each attempt, in any process.
If the client sends a `traceparent`, or an instrumentation traces the HTTP request, `submit` is a child of that span.
"""

import logging
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, TypeVar

from opentelemetry import trace
from opentelemetry.propagate import extract, inject
from opentelemetry.sdk.resources import SERVICE_NAME, OTELResourceDetector, Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, ConsoleSpanExporter, SpanExporter
from opentelemetry.trace import Span, SpanKind, Status, StatusCode

from patterns.observability.tracer import NO_CARRIER, Carrier, Tracer

T = TypeVar("T")

_TASK_ID, _PATTERN, _STATE = "longjobs.task_id", "longjobs.pattern", "longjobs.state"
#: Entries of a carrier beside the W3C headers. Named like headers, because they become headers of a Celery message.
_ACCEPTED_AT, _OF_PATTERN = "longjobs-accepted-at", "longjobs-pattern"
#: An unreachable collector delays the end of the process by at most this long.
_FLUSH_SECONDS = 2.0

#: The open span of each kind. The current span may be a child of it, opened by FastAPI or the user's agent.
_submit: ContextVar[Span | None] = ContextVar("submit", default=None)
_run: ContextVar[Span | None] = ContextVar("run", default=None)
_pattern: ContextVar[str] = ContextVar("pattern", default="")


class OpenTelemetry(Tracer):
    """Creates spans, and sends them in the background with the exporter that the environment names."""

    def __init__(self, exporter: str) -> None:
        provider = trace.get_tracer_provider()
        if not isinstance(provider, TracerProvider):  # otherwise it was set up before, as by opentelemetry-instrument
            provider = TracerProvider(resource=_resource(), shutdown_on_exit=False)
            provider.add_span_processor(BatchSpanProcessor(_exporter(exporter)))
            trace.set_tracer_provider(provider)  # so that spans of the user's agent are exported too
        self._provider = provider
        self._tracer = provider.get_tracer("longjobs")
        logging.setLogRecordFactory(_traced(logging.getLogRecordFactory()))

    @contextmanager
    def submit(self, pattern: str, headers: Iterable[tuple[bytes, bytes]]) -> Iterator[None]:
        context = None
        if not trace.get_current_span().get_span_context().is_valid:
            context = extract({name.decode("latin-1"): value.decode("latin-1") for name, value in headers})
        with (
            self._tracer.start_as_current_span(
                "submit", context, SpanKind.PRODUCER, attributes={_PATTERN: pattern}
            ) as span,
            _in(_submit, span),
            _in(_pattern, pattern),
        ):
            yield

    def accepted(self, task_id: str) -> None:
        if span := _submit.get():
            span.set_attribute(_TASK_ID, task_id)

    def responded(self, status: int) -> None:
        if span := _submit.get():
            _set_response_status(span, status)

    def carrier(self) -> Carrier:
        span = _submit.get()
        if span is None:
            return NO_CARRIER
        carrier = {_ACCEPTED_AT: str(time.time_ns()), _OF_PATTERN: _pattern.get()}
        inject(carrier, trace.set_span_in_context(span))
        return carrier

    @contextmanager
    def run(self, task_id: str, carrier: Carrier) -> Iterator[None]:
        context, attributes = extract(carrier), _task_attributes(task_id, carrier)
        if accepted_at := carrier.get(_ACCEPTED_AT):
            self._tracer.start_span("wait", context, attributes=attributes, start_time=int(accepted_at)).end()
        with (
            self._tracer.start_as_current_span("run", context, SpanKind.CONSUMER, attributes=attributes) as span,
            _in(_run, span),
        ):
            yield

    def finished(self, state: str, code: str | None) -> None:
        if span := _run.get():
            span.set_attribute(_STATE, state)
            if code:
                span.set_status(Status(StatusCode.ERROR, code))

    @contextmanager
    def deliver(self, task_id: str, carrier: Carrier) -> Iterator[Mapping[str, str]]:
        with self._tracer.start_as_current_span(
            "deliver", extract(carrier), SpanKind.CLIENT, attributes=_task_attributes(task_id, carrier)
        ):
            headers: dict[str, str] = {}
            inject(headers)
            yield headers

    def delivery_responded(self, status: int) -> None:
        _set_response_status(trace.get_current_span(), status)

    def flush(self) -> None:
        sending = threading.Thread(target=self._provider.force_flush, daemon=True)
        sending.start()
        sending.join(_FLUSH_SECONDS)


def _traced(make: Callable[..., logging.LogRecord]) -> Callable[..., logging.LogRecord]:
    """A log record factory that adds the current trace id and span id, in hexadecimal as in W3C Trace Context."""

    def traced(*args: Any, **kwargs: Any) -> logging.LogRecord:
        record, span = make(*args, **kwargs), trace.get_current_span().get_span_context()
        if span.is_valid:
            record.trace_id, record.span_id = trace.format_trace_id(span.trace_id), trace.format_span_id(span.span_id)
        return record

    return traced


def _set_response_status(span: Span, status: int) -> None:
    span.set_attribute("http.response.status_code", status)
    if not 200 <= status < 300:
        span.set_status(Status(StatusCode.ERROR))


@contextmanager
def _in(variable: ContextVar[T], value: T) -> Iterator[None]:
    token = variable.set(value)
    try:
        yield
    finally:
        variable.reset(token)


def _task_attributes(task_id: str, carrier: Carrier) -> dict[str, str]:
    return {_TASK_ID: task_id, _PATTERN: carrier.get(_OF_PATTERN, "")}


def _resource() -> Resource:
    named = SERVICE_NAME in OTELResourceDetector().detect().attributes
    return Resource.create() if named else Resource.create({SERVICE_NAME: "longjobs"})


def _exporter(name: str) -> SpanExporter:
    if name == "console":
        return ConsoleSpanExporter(out=sys.stderr, formatter=lambda span: span.to_json(indent=None) + "\n")
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter

    return OTLPSpanExporter()
