"""The interface of a tracer, and the implementation for when tracing is off."""

from collections.abc import Iterable, Mapping
from contextlib import AbstractContextManager, nullcontext

#: The trace context that is stored with a task: W3C headers and what later spans need. Empty if it is not traced.
Carrier = Mapping[str, str]
NO_CARRIER: Carrier = {}


class Tracer:
    """Traces nothing. The subclass `otel.OpenTelemetry` traces."""

    def submit(self, pattern: str, headers: Iterable[tuple[bytes, bytes]]) -> AbstractContextManager[None]:
        """The span of a submit request with these headers."""
        return nullcontext()

    def accepted(self, task_id: str) -> None:
        """Set the task's id on the current `submit` span."""

    def responded(self, status: int) -> None:
        """Set the status code of the response on the current `submit` span."""

    def carrier(self) -> Carrier:
        """The trace context of the current `submit` span, to be stored with its task."""
        return NO_CARRIER

    def run(self, task_id: str, carrier: Carrier) -> AbstractContextManager[None]:
        """The span of one run of a task, and before it the span of its wait in the queue."""
        return nullcontext()

    def finished(self, state: str, code: str | None) -> None:
        """Set the task's outcome on the current `run` span."""

    def deliver(self, task_id: str, carrier: Carrier) -> AbstractContextManager[Mapping[str, str]]:
        """The span of one attempt to deliver an outcome. Yields the headers that continue the trace at the receiver."""
        return nullcontext(NO_CARRIER)

    def delivery_responded(self, status: int) -> None:
        """Set the status code of the receiver's response on the current `deliver` span."""

    def flush(self) -> None:
        """Export the remaining spans, before this process ends."""
