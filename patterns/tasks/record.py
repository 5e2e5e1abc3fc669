"""What is kept of one task in memory, and what its client sees of it."""

from dataclasses import dataclass
from datetime import UTC, datetime

from patterns.contract import ErrorCode, Task, TaskError, TaskStatus


@dataclass(slots=True)
class Record:
    """What is kept of one task. Slots and plain floats keep 200,000 of them small."""

    task_id: str
    created_at: float
    status: TaskStatus = TaskStatus.PENDING
    progress: int = 0
    result: str | None = None
    error: tuple[ErrorCode, str] | None = None
    started_at: float | None = None
    finished_at: float | None = None
    idempotency_key: str | None = None

    def task(self) -> Task:
        """The record as its client sees it."""
        return Task(
            task_id=self.task_id,
            status=self.status,
            progress=self.progress,
            result=self.result,
            error=TaskError(code=self.error[0], message=self.error[1]) if self.error else None,
            created_at=moment(self.created_at),
            started_at=moment(self.started_at) if self.started_at is not None else None,
            finished_at=moment(self.finished_at) if self.finished_at is not None else None,
        )


def moment(seconds: float) -> datetime:
    """A time on the wire: `seconds` since the epoch, in UTC."""
    return datetime.fromtimestamp(seconds, UTC)
