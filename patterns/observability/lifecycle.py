"""What happens to a task, told to the log and to its trace. Both stores tell it here, so that they tell the same."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager

from patterns.contract import DeliveryAttempt, DeliveryState
from patterns.observability.logs import about
from patterns.observability.tracing import Carrier, tracing

logger = logging.getLogger("longjobs")


def accepted(task_id: str) -> None:
    """A submit is answered 202."""
    logger.info("accepted", extra={"task_id": task_id})
    tracing().accepted(task_id)


@contextmanager
def working_on(task_id: str, carrier: Carrier) -> Iterator[None]:
    """What is logged in this block has the task's id, and what is traced belongs to the task's trace."""
    with about(task_id), tracing().run(task_id, carrier):
        yield


def started(task_id: str) -> None:
    """A task runs now."""
    logger.info("started", extra={"task_id": task_id})


def finished(task_id: str, state: str, code: str | None, seconds: float | None) -> None:
    """A task has its outcome, after it ran for so many seconds, if it ever ran."""
    logger.info("finished", extra={"task_id": task_id, "state": state, "code": code, "seconds": seconds})
    tracing().finished(state, code)


def attempted(task_id: str, number: int, attempt: DeliveryAttempt, state: DeliveryState) -> None:
    """A callback was sent, and this is how far its delivery is now."""
    found = {"attempt": number, "state": state, "status_code": attempt.status_code, "error": attempt.error}
    logger.info("delivery attempt", extra={"task_id": task_id, **found})
