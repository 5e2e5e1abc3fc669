"""Counters of tasks and deliveries, updated at each event: reading them costs the same for any number of records."""

from bisect import bisect_left
from collections import Counter
from dataclasses import dataclass, field

from patterns.contract import DeliveryState, ErrorCode, TaskStatus

#: The upper bounds of the histogram buckets, in seconds: from a job that takes no time to half an hour.
BOUNDS = (0.01, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1800.0)

#: Where counters are kept, as the help texts of the metrics say it.
BY_THIS_PROCESS = "Counted by this web process since it started."
IN_REDIS = "Counted in Redis: the same in every web process."


@dataclass(slots=True)
class Durations:
    """A histogram: the number of durations in each bucket of `BOUNDS`, and their sum in seconds."""

    counts: list[int] = field(default_factory=lambda: [0] * (len(BOUNDS) + 1))
    total: float = 0.0

    def observe(self, seconds: float) -> None:
        """Add one duration."""
        self.counts[bisect_left(BOUNDS, seconds)] += 1
        self.total += seconds


@dataclass(slots=True)
class TaskCounters:
    """The counters of the tasks in one store."""

    pending: int = 0
    running: int = 0
    finished: Counter[tuple[TaskStatus, ErrorCode | None]] = field(default_factory=Counter)
    queue_wait: Durations = field(default_factory=Durations)
    execution: Durations = field(default_factory=Durations)
    #: Worker processes with a recent heartbeat; None where the work runs in the web process.
    workers: int | None = None
    counted: str = BY_THIS_PROCESS

    def task_started(self, queue_wait: float) -> None:
        """Count a task that has started after so many seconds in the queue."""
        self.running += 1
        self.queue_wait.observe(queue_wait)

    def task_finished(self, status: TaskStatus, code: ErrorCode | None, seconds: float | None) -> None:
        """Count a finished task, and the seconds that it ran, if it ever ran."""
        self.finished[status, code] += 1
        if seconds is not None:
            self.running -= 1
            self.execution.observe(seconds)


@dataclass(slots=True)
class DeliveryCounters:
    """The counters of the deliveries of one web process, or of all that share a Redis."""

    #: Deliveries that are running, or waiting for their next attempt.
    under_way: int = 0
    dead_letters: int = 0
    #: Attempts by the state of the delivery after them; `waiting` means that it will be retried.
    attempts: Counter[DeliveryState] = field(default_factory=Counter)
    counted: str = BY_THIS_PROCESS
