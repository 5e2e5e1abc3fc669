"""What is counted: plain numbers, kept as things happen and read when somebody asks.

Nobody looks through the records to count them, so reading costs the same however many are kept.
"""

from bisect import bisect_left
from collections import Counter
from dataclasses import dataclass, field

from patterns.contract import DeliveryState, ErrorCode, TaskStatus

#: Durations are sorted by these, in seconds: from a job that takes no time to one that takes half an hour.
BOUNDS = (0.01, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1800.0)

#: By whom something is counted.
BY_THIS_PROCESS = "Counted by this web process since it started."
IN_REDIS = "Counted in Redis: the same in every web process."


@dataclass(slots=True)
class Durations:
    """How long something took: the number of times between one of `BOUNDS` and the next, and the seconds in all."""

    counts: list[int] = field(default_factory=lambda: [0] * (len(BOUNDS) + 1))
    total: float = 0.0

    def observe(self, seconds: float) -> None:
        """Count one more."""
        self.counts[bisect_left(BOUNDS, seconds)] += 1
        self.total += seconds


@dataclass(slots=True)
class TaskCounters:
    """The tasks of one store."""

    pending: int = 0
    running: int = 0
    finished: Counter[tuple[TaskStatus, ErrorCode | None]] = field(default_factory=Counter)
    queue_wait: Durations = field(default_factory=Durations)
    execution: Durations = field(default_factory=Durations)
    #: Worker processes with a recent heartbeat; None where the work runs in the web process.
    workers: int | None = None
    counted: str = BY_THIS_PROCESS

    def started(self, waited: float) -> None:
        """Count a task that runs now, after it has waited for so many seconds."""
        self.running += 1
        self.queue_wait.observe(waited)

    def ended(self, status: TaskStatus, code: ErrorCode | None, ran: float | None) -> None:
        """Count a finished task, and the seconds that it ran for, if it ever ran."""
        self.finished[status, code] += 1
        if ran is not None:
            self.running -= 1
            self.execution.observe(ran)


@dataclass(slots=True)
class DeliveryCounters:
    """The callbacks of one web process, or of all that share a Redis."""

    #: Outcomes that are being delivered now, or wait for their next attempt.
    under_way: int = 0
    dead_letters: int = 0
    #: Attempts by what the delivery was after them. One that is waiting then will be tried again.
    attempts: Counter[DeliveryState] = field(default_factory=Counter)
    counted: str = BY_THIS_PROCESS
