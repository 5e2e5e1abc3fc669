"""What a worker knows of a task while its agent runs, as a test wants it."""

import threading

from patterns.agents.running import TaskEnded


class Unwatched:
    """A task that nothing ends."""

    def report_progress(self, percent: int) -> None:
        """Ignore it."""

    def why_end(self) -> BaseException | None:
        """Nothing."""
        return None

    def not_stopped(self, cause: BaseException) -> None:
        """Never called."""
        raise AssertionError(f"{cause!r} did not stop the agent")


class Cancelled(Unwatched):
    """A task that is cancelled as soon as `now` is set."""

    def __init__(self) -> None:
        self.now = threading.Event()
        self.left_behind: list[BaseException] = []

    def why_end(self) -> BaseException | None:
        """What a cancelled task raises."""
        return TaskEnded() if self.now.is_set() else None

    def not_stopped(self, cause: BaseException) -> None:
        """Note that the agent goes on."""
        self.left_behind.append(cause)
