"""The words on the wire.

Everything a client or a server must agree on is defined here once. Nothing here imports a web framework,
so the benchmark, the tests and the command line can use the words without starting a server.
"""

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field
from pydantic.config import JsonDict


class TaskStatus(StrEnum):
    """Where a task stands: `pending → running → completed | failed | cancelled`."""

    PENDING = "pending"
    RUNNING = "running"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"


#: A task in one of these never changes again.
FINISHED = frozenset({TaskStatus.COMPLETED, TaskStatus.FAILED, TaskStatus.CANCELLED})


class ErrorCode(StrEnum):
    """Why a task failed."""

    TIMEOUT = "timeout"  # it ran past KIT_TASK_TIMEOUT_SECONDS
    AGENT_ERROR = "agent_error"  # the agent raised
    SHUTDOWN = "shutdown"  # the server stopped before it was done
    WORKER_LOST = "worker_lost"  # its worker died, again and again


class TaskError(BaseModel):
    """What went wrong, for a program (`code`) and for a person (`message`). Never a traceback."""

    code: ErrorCode
    message: str


class SubmitRequest(BaseModel):
    """The body of `POST /agent/submit`."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"prompt": "Compare the three vendors in this contract."}]}
    )

    prompt: Annotated[str, Field(min_length=1, description="What the agent is asked to do.")]


CallbackUrl = Annotated[
    str,
    Field(
        min_length=1,
        max_length=2000,
        description="An http or https URL that gets the outcome, signed by Standard Webhooks.",
    ),
]


class CallbackSubmitRequest(SubmitRequest):
    """The body of `POST /agent/submit` where the server calls back whoever asks for it."""

    callback_url: CallbackUrl | None = None


class WebhookSubmitRequest(SubmitRequest):
    """The body of `POST /agent/submit` where the server calls everybody back."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [{"prompt": "Compare the three vendors.", "callback_url": "https://example.com/hooks/agent"}]
        },
    )

    callback_url: CallbackUrl


EXAMPLE_TASK: JsonDict = {
    "task_id": "6f1f5c0b8f0e4a6c9f4d1f0a2b3c4d5e",
    "status": "running",
    "progress": 40,
    "result": None,
    "error": None,
    "created_at": "2026-11-23T09:30:00.000000Z",
    "started_at": "2026-11-23T09:30:00.120000Z",
    "finished_at": None,
}
EXAMPLE_NEW_TASK: JsonDict = EXAMPLE_TASK | {"status": "pending", "progress": 0, "started_at": None}
EXAMPLE_DELIVERY: JsonDict = {"state": "waiting", "attempts": [], "next_attempt_at": None, "last_error": None}


class Task(BaseModel):
    """A task as its client sees it."""

    model_config = ConfigDict(json_schema_extra={"examples": [EXAMPLE_TASK]})

    task_id: str
    status: TaskStatus
    progress: Annotated[int, Field(ge=0, le=100, description="Whole percent. It never goes back.")]
    result: str | None = None
    error: TaskError | None = None
    created_at: datetime
    started_at: datetime | None = None
    finished_at: datetime | None = None

    @property
    def finished(self) -> bool:
        """Whether this is the outcome."""
        return self.status in FINISHED


class DeliveryState(StrEnum):
    """How far the server is with telling the outcome."""

    WAITING = "waiting"  # the task is not finished, or the next attempt is due later
    DELIVERED = "delivered"  # the receiver answered 2xx
    DEAD = "dead"  # given up; kept, and can be sent again


class DeliveryAttempt(BaseModel):
    """One POST to the callback URL."""

    at: datetime
    status_code: int | None = None
    error: str | None = None


class Delivery(BaseModel):
    """The callback of one task, and every attempt so far."""

    state: DeliveryState
    attempts: list[DeliveryAttempt] = []
    next_attempt_at: datetime | None = None
    last_error: str | None = None


class WebhookTask(Task):
    """A task whose outcome is POSTed to its client."""

    model_config = ConfigDict(json_schema_extra={"examples": [EXAMPLE_TASK | {"delivery": EXAMPLE_DELIVERY}]})

    delivery: Delivery


class Callback(Task):
    """The body of the POST to a callback URL: the finished task.

    A result that would make it longer than Standard Webhooks advises (20 kB) is left out, and is at `result_at`.
    """

    result_at: str | None = None


class Problem(BaseModel):
    """An error as `application/problem+json` (RFC 9457)."""

    title: str
    status: int
    detail: str


class Health(BaseModel):
    """The body of `GET /health` when all is well."""

    status: Literal["ok"] = "ok"
    pattern: str
