"""A task as clients see it: its status, its progress, and its outcome."""

from datetime import datetime
from enum import StrEnum
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field
from pydantic.config import JsonDict


class TaskStatus(StrEnum):
    """The status of a task: `pending → running → completed | failed | cancelled`."""

    PENDING = "pending"
    RUNNING = "running"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"


#: The terminal statuses: a finished task never changes.
FINISHED = frozenset({TaskStatus.COMPLETED, TaskStatus.FAILED, TaskStatus.CANCELLED})


class ErrorCode(StrEnum):
    """Why a task failed."""

    TIMEOUT = "timeout"  # it ran past KIT_TASK_TIMEOUT_SECONDS
    AGENT_ERROR = "agent_error"  # the agent raised
    SHUTDOWN = "shutdown"  # the server stopped before the task finished
    WORKER_LOST = "worker_lost"  # its worker died in every run


class TaskError(BaseModel):
    """Why a task failed, for programs (`code`) and for people (`message`). Never a traceback."""

    code: ErrorCode
    message: str


EXAMPLE_TASK: JsonDict = {
    "task_id": "6f1f5c0b8f0e4a6c9f4d1f0a2b3c4d5e",
    "status": "running",
    "progress": 40,
    "message": "reading page 3",
    "result": None,
    "error": None,
    "created_at": "2026-11-23T09:30:00.000000Z",
    "started_at": "2026-11-23T09:30:00.120000Z",
    "finished_at": None,
}
EXAMPLE_NEW_TASK: JsonDict = EXAMPLE_TASK | {"status": "pending", "progress": 0, "message": None, "started_at": None}


class Task(BaseModel):
    """A task as clients see it."""

    model_config = ConfigDict(json_schema_extra={"examples": [EXAMPLE_TASK]})

    task_id: str
    status: TaskStatus
    progress: Annotated[int, Field(ge=0, le=100, description="In whole percent. It never decreases.")]
    message: Annotated[str | None, Field(description="What the agent is doing, as it last reported.")] = None
    result: str | None = None
    error: TaskError | None = None
    created_at: datetime
    started_at: datetime | None = None
    finished_at: datetime | None = None

    @property
    def finished(self) -> bool:
        """Whether the task has its outcome."""
        return self.status in FINISHED
