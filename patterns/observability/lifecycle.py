"""The events of a task, for the log and the trace. Both stores report them here, so that they report the same."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager

from patterns.contract import DeliveryAttempt, DeliveryState
from patterns.observability.logs import bound_task_id
from patterns.observability.tracing import Carrier, tracing

logger = logging.getLogger("longjobs")


def accepted(task_id: str) -> None:
    """The task was accepted: the submit returns 202."""
    logger.info("accepted", extra={"task_id": task_id})
    tracing().accepted(task_id)


@contextmanager
def running_task(task_id: str, carrier: Carrier) -> Iterator[None]:
    """Run the block with the task's id on every log line, and its spans in the task's trace."""
    with bound_task_id(task_id), tracing().run(task_id, carrier):
        yield


def started(task_id: str) -> None:
    """The task was started."""
    logger.info("started", extra={"task_id": task_id})


def finished(task_id: str, state: str, code: str | None, seconds: float | None) -> None:
    """The task has its outcome. `seconds` is how long it ran, or None if it never ran."""
    logger.info("finished", extra={"task_id": task_id, "state": state, "code": code, "seconds": seconds})
    tracing().finished(state, code)


def delivery_attempted(task_id: str, number: int, attempt: DeliveryAttempt, state: DeliveryState) -> None:
    """An attempt to deliver the outcome was made. `state` is the state of the delivery after it."""
    fields = {"attempt": number, "state": state, "status_code": attempt.status_code, "error": attempt.error}
    logger.info("delivery attempt", extra={"task_id": task_id, **fields})
