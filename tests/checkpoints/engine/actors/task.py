"""A task as the contract describes it: its statuses, what was seen of it last, and the error of one that failed."""

from dataclasses import dataclass
from typing import Any

from tests.checkpoints.engine.diagnosis.failures import Wrong

WORDS = {"pending": 0, "running": 1, "completed": 2, "failed": 2, "cancelled": 2}
FINISHED = {"completed", "failed", "cancelled"}

Json = dict[str, Any]


@dataclass
class Task:
    """A task that was accepted, and what was seen of it last."""

    task_id: str
    prompt: str
    accepted: Json
    seen: str = "pending"
    progress: float = 0
    at: float = 0  # when the submit was answered, by `time.monotonic()`
    took: float = 0  # the seconds until then
    ran: bool = False  # it was seen running
    over: float = 0  # when it was first seen finished

    @property
    def finished(self) -> bool:
        """Whether what was seen last is an outcome."""
        return self.seen in FINISHED


def must_say_why(body: Json, message: str) -> None:
    """See that the error of a failed task is what the agent said, in a text for the client."""
    error = body.get("error")
    if not isinstance(error, str) or message not in error:
        raise Wrong(
            "FAILURE_NOT_TOLD",
            f'"error" is {error!r}, and the agent had said {message!r}',
            likely="the client learns that the agent failed, and not why: the error is not the text of what it raised.",
            next_step="make the error of what the exception says: `str(error)`.",
        )
    if "Traceback (most recent call last)" in error:
        raise Wrong(
            "FAILURE_NOT_TOLD",
            '"error" is a whole traceback',
            likely="the client is shown your files and lines, where it should read what went wrong.",
            next_step="make the error of what the exception says, `str(error)`, and leave the traceback to the log.",
        )
