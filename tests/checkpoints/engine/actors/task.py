"""A task of the contract: its statuses, the status that was seen last, and the error of a failed task."""

from dataclasses import dataclass
from typing import Any

from tests.checkpoints.engine.diagnosis.failures import Wrong

WORDS = {"pending": 0, "running": 1, "completed": 2, "failed": 2, "cancelled": 2}
FINISHED = {"completed", "failed", "cancelled"}

Json = dict[str, Any]


@dataclass
class Task:
    """An accepted task, and its status when it was last seen."""

    task_id: str
    prompt: str
    accepted: Json
    seen: str = "pending"
    progress: float = 0
    at: float = 0  # when submit responded, by `time.monotonic()`
    took: float = 0  # the seconds until then
    ran: bool = False  # whether it was seen running
    over: float = 0  # when it was first seen finished

    @property
    def finished(self) -> bool:
        """Whether the status that was seen last is final."""
        return self.seen in FINISHED


def must_say_why(body: Json, message: str) -> None:
    """Check that the error of a failed task is the agent's message, as a string for the client."""
    error = body.get("error")
    if not isinstance(error, str) or message not in error:
        raise Wrong(
            "FAILURE_NOT_TOLD",
            f'"error" is {error!r}, but the agent raised {message!r}',
            likely="the client learns that the agent failed, but not why: the error is not the exception's message.",
            next_step="set the error to the exception's message: `str(error)`.",
        )
    if "Traceback (most recent call last)" in error:
        raise Wrong(
            "FAILURE_NOT_TOLD",
            '"error" is a whole traceback',
            likely="the client sees your files and lines instead of what went wrong.",
            next_step="set the error to the exception's message, `str(error)`, and write the traceback to the log.",
        )
