"""Where traces go in these tests: an OTLP collector over HTTP that keeps every span."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span as SpanMessage
from opentelemetry.proto.trace.v1.trace_pb2 import Status
from starlette.responses import Response

from tests.support.scripted_server import Seen, scripted_server


@dataclass(frozen=True)
class Span:
    """A span as it arrived."""

    name: str
    trace_id: str
    span_id: str
    parent_id: str
    kind: str
    failed: bool
    start: int
    end: int
    attributes: dict[str, str | int]
    service: str


@dataclass
class Collector:
    """What was sent here so far."""

    url: str
    spans: list[Span] = field(default_factory=list)

    def trace(self, trace_id: str) -> dict[str, list[Span]]:
        """The spans of one trace by their names."""
        found: dict[str, list[Span]] = {}
        for span in list(self.spans):
            if span.trace_id == trace_id:
                found.setdefault(span.name, []).append(span)
        return found

    def take(self, body: bytes) -> None:
        """Keep what an exporter sent."""
        for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
            about = {attribute.key: attribute.value.string_value for attribute in resource.resource.attributes}
            for scope in resource.scope_spans:
                self.spans.extend(_span(span, about["service.name"]) for span in scope.spans)


def _span(span: SpanMessage, service: str) -> Span:
    return Span(
        name=span.name,
        trace_id=span.trace_id.hex(),
        span_id=span.span_id.hex(),
        parent_id=span.parent_span_id.hex(),
        kind=SpanMessage.SpanKind.Name(span.kind).removeprefix("SPAN_KIND_"),
        failed=span.status.code == Status.STATUS_CODE_ERROR,
        start=span.start_time_unix_nano,
        end=span.end_time_unix_nano,
        attributes={a.key: a.value.string_value or a.value.int_value for a in span.attributes},
        service=service,
    )


@contextmanager
def collecting() -> Iterator[Collector]:
    """Accept traces for as long as the block lasts."""
    with scripted_server() as scripts:
        script = scripts.script()
        collector = Collector(script.url)

        async def take(request: Seen) -> Response:
            collector.take(request.body)
            return Response()

        script.on("POST /v1/traces", take)
        yield collector
