"""The errors that a client raises when it does not get a completed task."""

from patterns.contract.task import Task, TaskStatus


class ClientError(Exception):
    """The task was not completed. `task` is the task as last seen, or None if none was accepted."""

    def __init__(self, message: str, task: Task | None = None) -> None:
        super().__init__(message)
        self.task = task


class SubmitRefused(ClientError):
    """The server rejected the request (a 4xx other than 408 and 429). A retry would be rejected too."""


class TemporaryError(ClientError):
    """The server is unreachable or temporarily unavailable. A retry may succeed.

    `retry_after` is in seconds, or None if the server did not send it.
    """

    def __init__(self, message: str, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class TaskFailed(ClientError):
    """The task failed; `task.error` has the code and the message."""


class TaskCancelled(ClientError):
    """The task was cancelled."""


class TaskLost(ClientError):
    """The server no longer knows the task: it restarted without its records, or they have expired."""


class DeadlineExceeded(ClientError):
    """The deadline passed before the task finished. It may still be running: ask for `task.task_id` later."""


def completed(task: Task) -> Task:
    """Return `task` if it is completed. Raises `TaskFailed` or `TaskCancelled`."""
    if task.status is TaskStatus.FAILED:
        raise TaskFailed(f"{task.error.code}: {task.error.message}" if task.error else "The task failed.", task)
    if task.status is TaskStatus.CANCELLED:
        raise TaskCancelled("The task was cancelled.", task)
    return task
