"""What can be traced of a task: a tracer that does nothing, which `otel` fills."""

from collections.abc import Iterable, Mapping
from contextlib import AbstractContextManager, nullcontext

#: What goes along with a task: the W3C headers of its trace, and what a later span must know. Empty if none is traced.
Carrier = Mapping[str, str]
NO_CARRIER: Carrier = {}


class Tracer:
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
        """The span of one attempt to deliver an outcome. Gives the headers that continue the trace at the receiver."""
        return nullcontext(NO_CARRIER)

    def delivery_answered(self, status: int) -> None:
        """The receiver has answered the attempt that this is in with this status."""

    def flush(self) -> None:
        """Send what is left, before this process ends."""
