"""The record of one task: what is kept of it, how it changes, and what its client sees."""

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

#: The attempts that a record keeps of its delivery: the last ones.
ATTEMPTS_KEPT = 20


@dataclass(slots=True)
class Record:
    """What is kept of one task. Slots and plain floats keep 200,000 of them small.

    All times are seconds since the epoch. Each method is one transition. In Redis the transitions are scripts, because
    several processes write at the same time; `tests/patterns/test_transitions.py` holds both to the same table.
    """

    task_id: str
    created_at: float
    status: TaskStatus = TaskStatus.PENDING
    progress: int = 0
    result: str | None = None
    error: tuple[ErrorCode, str] | None = None
    started_at: float | None = None
    finished_at: float | None = None
    idempotency_key: str | None = None
    carrier: Carrier = field(default_factory=lambda: NO_CARRIER)  # continues the trace of the submit
    callback_url: str | None = None
    root_path: str = ""  # the path under which the app is mounted: a callback says where the whole result is
    delivery: DeliveryState = DeliveryState.WAITING  # means nothing without a callback URL
    attempts: tuple[DeliveryAttempt, ...] = ()
    attempts_made: int = 0  # since the first one, or since the delivery was sent again
    next_attempt_at: float | None = None
    last_error: str | None = None

    @property
    def finished(self) -> bool:
        """Whether the task has its outcome."""
        return self.status in FINISHED

    @property
    def ran(self) -> float | None:
        """The seconds that a finished task ran for, or None if it never ran."""
        if self.started_at is None or self.finished_at is None:
            return None
        return self.finished_at - self.started_at

    def start(self, now: float) -> bool:
        """`pending → running`. False if the task must not run: it was cancelled while it waited."""
        if self.status is not TaskStatus.PENDING:
            return False
        self.status, self.started_at = TaskStatus.RUNNING, self._in_order(now)
        return True

    def advance(self, percent: int) -> bool:
        """Note the progress of a running task. It never goes back. False if the task is not running."""
        if self.status is not TaskStatus.RUNNING:
            return False
        self.progress = max(self.progress, min(int(percent), 100))
        return True

    def complete(self, now: float, result: str) -> bool:
        """`→ completed`. False if the task is finished already; then nothing changes."""
        if not self._finish(now, TaskStatus.COMPLETED):
            return False
        self.result, self.progress = result, 100
        return True

    def fail(self, now: float, code: ErrorCode, message: str) -> bool:
        """`→ failed`. False if the task is finished already; then nothing changes."""
        if not self._finish(now, TaskStatus.FAILED):
            return False
        self.error = code, message
        return True

    def cancel(self, now: float) -> bool:
        """`→ cancelled`. False if the task is cancelled already. Raises `AlreadyFinished`."""
        if self.status in {TaskStatus.COMPLETED, TaskStatus.FAILED}:
            raise AlreadyFinished(self.status)
        return self._finish(now, TaskStatus.CANCELLED)

    def attempt(self) -> bool:
        """An attempt to deliver the outcome begins. False if there is none to deliver, or no longer."""
        if not self.finished or self.callback_url is None or self.delivery is not DeliveryState.WAITING:
            return False
        self.next_attempt_at = None
        return True

    def attempted(self, attempt: DeliveryAttempt, state: DeliveryState, next_attempt_at: float | None = None) -> None:
        """Note an attempt, the state of the delivery after it, and when the next attempt is due, if there is one."""
        self.delivery, self.next_attempt_at, self.last_error = state, next_attempt_at, attempt.error
        self.attempts = (*self.attempts, attempt)[-ATTEMPTS_KEPT:]
        self.attempts_made += 1

    def redeliver(self) -> None:
        """Give a dead letter all its attempts again. Raises `NotADeadLetter`."""
        if self.callback_url is None or self.delivery is not DeliveryState.DEAD:
            raise NotADeadLetter
        self.delivery, self.attempts_made, self.last_error = DeliveryState.WAITING, 0, None

    def task(self) -> Task:
        """The record as its client sees it: with its delivery, if it has a callback URL."""
        shown: dict[str, Any] = {
            "task_id": self.task_id,
            "status": self.status,
            "progress": self.progress,
            "result": self.result,
            "error": TaskError(code=self.error[0], message=self.error[1]) if self.error else None,
            "created_at": moment(self.created_at),
            "started_at": moment(self.started_at) if self.started_at is not None else None,
            "finished_at": moment(self.finished_at) if self.finished_at is not None else None,
        }
        if self.callback_url is None:
            return Task(**shown)
        due = self.next_attempt_at
        delivery = Delivery(
            state=self.delivery,
            attempts=list(self.attempts),
            next_attempt_at=moment(due) if due is not None else None,
            last_error=self.last_error,
        )
        return WebhookTask(**shown, delivery=delivery)

    def _finish(self, now: float, status: TaskStatus) -> bool:
        if self.finished:
            return False
        self.status, self.finished_at = status, self._in_order(now)
        return True

    def _in_order(self, now: float) -> float:
        # The system's clock may be set back; the times of one task stay in order all the same.
        return max(now, self.started_at or self.created_at)


def moment(seconds: float) -> datetime:
    """A time on the wire: `seconds` since the epoch, in UTC."""
    return datetime.fromtimestamp(seconds, UTC)
