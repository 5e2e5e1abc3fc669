"""Watches for tests: of a task that is never stopped, and of a task that is cancelled."""

import threading

from patterns.agents.running import TaskEnded


class Unwatched:
    """A task that is never stopped."""

    def report_progress(self, percent: int, message: str | None = None) -> None:
        """Ignore it."""

    def stop_reason(self) -> BaseException | None:
        """Always None."""
        return None

    def not_stopped(self, cause: BaseException) -> None:
        """Never called."""
        raise AssertionError(f"{cause!r} did not stop the agent")


class Cancelled(Unwatched):
    """A task that is cancelled as soon as `now` is set."""

    def __init__(self) -> None:
        self.now = threading.Event()
        self.abandoned_after: list[BaseException] = []

    def stop_reason(self) -> BaseException | None:
        """`TaskEnded`, once `now` is set."""
        return TaskEnded() if self.now.is_set() else None

    def not_stopped(self, cause: BaseException) -> None:
        """Record that the agent is still running."""
        self.abandoned_after.append(cause)
