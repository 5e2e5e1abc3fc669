"""The record of one task: its fields, its transitions, and the task that clients see."""

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from patterns.contract import (
    FINISHED,
    Delivery,
    DeliveryAttempt,
    DeliveryState,
    ErrorCode,
    Task,
    TaskError,
    TaskStatus,
    WebhookTask,
)
from patterns.observability.tracing import NO_CARRIER, Carrier
from patterns.tasks.store import AlreadyFinished, NotADeadLetter

#: How many of its delivery attempts a record keeps: the last ones.
ATTEMPTS_KEPT = 20
#: How many of its changes a record keeps: the last ones before the outcome.
CHANGES_KEPT = 256
#: How long they are kept after the outcome, so that a client that lost its connection misses none: they may take many
#: times the memory of the rest of the record.
HISTORY_SECONDS = 60.0


@dataclass(slots=True)
class Record:
    """Everything that is stored about one task. Slots and plain floats keep 200,000 records small.

    All times are in seconds since the epoch. Each method is one transition. In Redis, where several processes write,
    the transitions are scripts; `tests/patterns/test_transitions.py` checks both against the same table.
    """

    task_id: str
    created_at: float
    status: TaskStatus = TaskStatus.PENDING
    progress: int = 0
    message: str | None = None
    result: str | None = None
    error: tuple[ErrorCode, str] | None = None
    started_at: float | None = None
    finished_at: float | None = None
    idempotency_key: str | None = None
    carrier: Carrier = field(default_factory=lambda: NO_CARRIER)  # the trace context of the submit
    callback_url: str | None = None
    root_path: str = ""  # where the app is mounted: a callback contains the path of a large result
    delivery: DeliveryState = DeliveryState.WAITING  # unused without a callback URL
    attempts: tuple[DeliveryAttempt, ...] = ()
    attempts_made: int = 0  # since the delivery started, or was started again by `redeliver`
    next_attempt_at: float | None = None
    last_error: str | None = None
    version: int = 0  # the number of changes that clients can see
    #: The progress and the message after each change before the outcome: all else follows from the record.
    history: list[tuple[int, str | None]] = field(default_factory=list)

    @property
    def finished(self) -> bool:
        """Whether the task has its outcome."""
        return self.status in FINISHED

    @property
    def ran(self) -> float | None:
        """How long a finished task ran, in seconds, or None if it never ran."""
        if self.started_at is None or self.finished_at is None:
            return None
        return self.finished_at - self.started_at

    def start(self, now: float) -> bool:
        """`pending → running`. False if the task must not run, because it was cancelled."""
        if self.status is not TaskStatus.PENDING:
            return False
        self.status, self.started_at = TaskStatus.RUNNING, self._in_order(now)
        self._changed()
        return True

    def advance(self, percent: int, message: str | None = None) -> bool:
        """Store the progress of a running task, which never decreases, and the message, if any.

        False if the task is not running.
        """
        if self.status is not TaskStatus.RUNNING:
            return False
        before = self.progress, self.message
        self.progress = max(self.progress, min(int(percent), 100))
        if message is not None:
            self.message = message
        if (self.progress, self.message) != before:
            self._changed()
        return True

    def complete(self, now: float, result: str) -> bool:
        """`→ completed`. False, and no change, if the task is already finished."""
        if not self._finish(now, TaskStatus.COMPLETED):
            return False
        self.result, self.progress = result, 100
        return True

    def fail(self, now: float, code: ErrorCode, message: str) -> bool:
        """`→ failed`. False, and no change, if the task is already finished."""
        if not self._finish(now, TaskStatus.FAILED):
            return False
        self.error = code, message
        return True

    def cancel(self, now: float) -> bool:
        """`→ cancelled`. False if the task is already cancelled. Raises `AlreadyFinished` if it completed or failed."""
        if self.status in {TaskStatus.COMPLETED, TaskStatus.FAILED}:
            raise AlreadyFinished(self.status)
        return self._finish(now, TaskStatus.CANCELLED)

    def begin_attempt(self) -> bool:
        """Begin an attempt to deliver the outcome. False if there is nothing to deliver."""
        if not self.finished or self.callback_url is None or self.delivery is not DeliveryState.WAITING:
            return False
        self.next_attempt_at = None
        return True

    def end_attempt(self, attempt: DeliveryAttempt, state: DeliveryState, next_attempt_at: float | None = None) -> None:
        """Store an attempt, the state of the delivery after it, and when the next attempt is due, if any."""
        self.delivery, self.next_attempt_at, self.last_error = state, next_attempt_at, attempt.error
        self.attempts = (*self.attempts, attempt)[-ATTEMPTS_KEPT:]
        self.attempts_made += 1

    def redeliver(self) -> None:
        """Start the delivery of a dead letter again, with all its attempts. Raises `NotADeadLetter`."""
        if self.callback_url is None or self.delivery is not DeliveryState.DEAD:
            raise NotADeadLetter
        self.delivery, self.attempts_made, self.last_error = DeliveryState.WAITING, 0, None

    def task(self) -> Task:
        """The task that clients see, with its delivery if it has a callback URL."""
        fields: dict[str, Any] = {
            "task_id": self.task_id,
            "status": self.status,
            "progress": self.progress,
            "message": self.message,
            "result": self.result,
            "error": TaskError(code=self.error[0], message=self.error[1]) if self.error else None,
            "created_at": _datetime(self.created_at),
            "started_at": _datetime(self.started_at),
            "finished_at": _datetime(self.finished_at),
        }
        if self.callback_url is None:
            return Task(**fields)
        delivery = Delivery(
            state=self.delivery,
            attempts=list(self.attempts),
            next_attempt_at=_datetime(self.next_attempt_at),
            last_error=self.last_error,
        )
        return WebhookTask(**fields, delivery=delivery)

    def _finish(self, now: float, status: TaskStatus) -> bool:
        if self.finished:
            return False
        self.status, self.finished_at = status, self._in_order(now)
        self.version += 1
        return True

    def _changed(self) -> None:
        self.version += 1
        self.history.append((self.progress, self.message))
        del self.history[:-CHANGES_KEPT]

    def _in_order(self, now: float) -> float:
        # The system clock may be set back, but the times of a task must stay in order.
        return max(now, self.started_at or self.created_at)


def _datetime(seconds: float | None) -> datetime | None:
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC)
