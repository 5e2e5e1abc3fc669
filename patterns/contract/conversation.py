"""A client's state for one task: the task as last seen, the last error, and one deadline for all requests."""

import asyncio
import inspect
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from patterns.contract.client_errors import DeadlineExceeded
from patterns.contract.task import Task

OnProgress = Callable[[int], object]
OnMessage = Callable[[str], object]


class Conversation:
    """All requests about one task, from submit to the outcome.

    `deadline` is in seconds, from the start of `until_deadline`. `on_progress` is called with each new percentage, and
    `on_message` with each new message; both may be async.
    """

    def __init__(
        self, deadline: float, on_progress: OnProgress | None = None, on_message: OnMessage | None = None
    ) -> None:
        self.task: Task | None = None
        self.last_error = ""  # why the last request is being retried
        self._deadline, self._ends_at = deadline, float("inf")
        self._on_progress, self._reported = on_progress, -1
        self._on_message, self._message = on_message, ""

    @asynccontextmanager
    async def until_deadline(self) -> AsyncIterator[None]:
        """Run the block under the deadline. Raises `DeadlineExceeded` if it takes longer."""
        self._ends_at = asyncio.get_running_loop().time() + self._deadline
        try:
            async with asyncio.timeout_at(self._ends_at) as limit:
                yield
        except TimeoutError:
            if not limit.expired():  # `on_progress` raised it
                raise
            raise self._deadline_exceeded() from None

    async def update(self, task: Task) -> Task:
        """Store the task as last seen, report its progress and its message if they are new, and return the task."""
        self.task = task
        if self._on_progress and task.progress > self._reported:
            self._reported = task.progress
            await _awaited(self._on_progress(task.progress))
        if self._on_message and task.message and task.message != self._message:
            self._message = task.message
            await _awaited(self._on_message(task.message))
        return task

    async def pause(self, seconds: float) -> None:
        """Sleep. Raises `DeadlineExceeded` at once if the deadline would pass first."""
        if asyncio.get_running_loop().time() + seconds > self._ends_at:
            raise self._deadline_exceeded()
        await asyncio.sleep(seconds)

    def _deadline_exceeded(self) -> DeadlineExceeded:
        state = f"the task is {self.task.status}" if self.task else "no task was accepted"
        return DeadlineExceeded(f"After {self._deadline:g} s {state}. {self.last_error}".strip(), self.task)


async def _awaited(result: object) -> None:
    if inspect.isawaitable(result):
        await result
