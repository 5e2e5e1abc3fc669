"""From rows to figures: pure functions, nothing estimated and nothing remembered.

A percentile here is always a value that was measured (nearest rank), never one in between.
"""

import math
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from benchmarks.samples import Outcome, Phase, Sample

#: How sure `median_interval` is, at the least.
CONFIDENCE = 0.95


def percentile(ordered: Sequence[float], percent: float) -> float:
    """The smallest value that at least `percent` of all values do not exceed (nearest rank).

    `ordered` is sorted and not empty; 0 < `percent` <= 100. So with fewer than 100 values p99 is the maximum.
    """
    if not ordered:
        raise ValueError("there is no percentile of nothing")
    if not 0 < percent <= 100:
        raise ValueError(f"a percentile is above 0 and at most 100, not {percent:g}")
    # Multiplied first: 0.95 * 20 is 19.000000000000004 in binary, and would give the twentieth of twenty.
    return ordered[math.ceil(percent * len(ordered) / 100) - 1]


def median_interval(ordered: Sequence[float]) -> tuple[float, float] | None:
    """Two measured values that have the true median between them with at least 95 % confidence.

    It needs no assumption about the shape of the values: how many of n independent ones lie below the median
    is binomial (n, 1/2). None when there are fewer than 6, because then no interval is that sure.
    """
    n = len(ordered)
    most = (1 - CONFIDENCE) / 2
    below, term, k = 0, 1, 0  # term is "n over k"; all divided by 2**n at the end
    while (below + term) / 2**n <= most:
        below, term, k = below + term, term * (n - k) // (k + 1), k + 1
    return (ordered[k - 1], ordered[n - k]) if k else None


@dataclass(frozen=True)
class Distribution:
    """How one measure is spread, in seconds."""

    count: int
    p50: float
    p95: float
    p99: float
    longest: float
    interval: tuple[float, float] | None  # of the median

    def ties_with(self, other: "Distribution") -> bool:
        """Whether the two medians cannot be told apart: their intervals overlap, or are not known."""
        if self.interval is None or other.interval is None:
            return True
        return self.interval[0] <= other.interval[1] and other.interval[0] <= self.interval[1]


def distribution(values: Iterable[float | None]) -> Distribution | None:
    """The spread of the values that are there; None if none is."""
    ordered = sorted(value for value in values if value is not None)
    if not ordered:
        return None
    p50, p95, p99 = (percentile(ordered, percent) for percent in (50, 95, 99))
    return Distribution(len(ordered), p50, p95, p99, ordered[-1], median_interval(ordered))


@dataclass(frozen=True)
class Tally:
    """What became of every task that was to be sent."""

    offered: int
    accepted: int
    completed: int
    failed: int
    lost: int
    refused: int
    errors: int
    dropped: int
    interrupted: int
    twice: int  # task ids given out, or outcomes delivered, a second time: a duplicate can hide a loss

    @property
    def all_well(self) -> bool:
        """Whether every task was accepted and completed, once."""
        return self.offered == self.accepted == self.completed and self.twice == 0


@dataclass(frozen=True)
class Figures:
    """Everything that is reported about one pattern."""

    pattern: str
    tally: Tally
    submit_latency: Distribution | None
    queue_wait: Distribution | None
    execution: Distribution | None
    notification_lag: Distribution | None
    end_to_end: Distribution | None
    tasks_per_second: float | None
    requests_per_task: float | None
    lateness: Distribution | None


def figures(pattern: str, rows: Iterable[Sample], callbacks: Counter[str] | None = None) -> Figures:
    """The figures of one pattern from its rows, those of all trials together.

    `callbacks` is how many met which verdict: a repeated one is an outcome delivered twice, and a request more.
    """
    mine = [row for row in rows if row.pattern == pattern]
    measured = [row for row in mine if row.phase is Phase.MEASURED]
    accepted = [row for row in measured if row.accepted is not None]
    repeated = (callbacks or Counter())["repeated"]

    def spread(measure: Callable[[Sample], float | None]) -> Distribution | None:
        return distribution(measure(row) for row in accepted)

    return Figures(
        pattern=pattern,
        tally=_tally(measured, len(accepted), repeated),
        submit_latency=spread(lambda row: row.submit_latency),
        queue_wait=spread(lambda row: row.queue_wait),
        execution=spread(lambda row: row.execution),
        notification_lag=spread(lambda row: row.notification_lag),
        end_to_end=spread(lambda row: row.end_to_end),
        tasks_per_second=tasks_per_second(mine),
        requests_per_task=(sum(row.requests for row in accepted) + repeated) / len(accepted) if accepted else None,
        lateness=distribution(row.lateness for row in measured),
    )


def tasks_per_second(rows: Sequence[Sample]) -> float | None:
    """How many tasks finished per second while load was offered, over all trials.

    Those of the warm-up that finish within that time count: the last ones offered, which finish after it,
    do not. None when there is no such time.
    """
    finished, seconds = 0, 0.0
    for trial in {row.trial for row in rows}:
        intended = [row.intended for row in rows if row.trial == trial and row.phase is Phase.MEASURED]
        if len(intended) > 1:
            first, last = min(intended), max(intended)
            seconds += last - first
            finished += sum(
                1 for row in rows if row.trial == trial and row.finished is not None and first <= row.finished <= last
            )
    return finished / seconds if seconds else None


def _tally(measured: list[Sample], accepted: int, repeated: int) -> Tally:
    outcomes = Counter(row.outcome for row in measured)
    ids = Counter(row.task_id for row in measured if row.task_id)
    return Tally(
        offered=len(measured),
        accepted=accepted,
        completed=outcomes[Outcome.COMPLETED],
        failed=outcomes[Outcome.FAILED],
        lost=outcomes[Outcome.LOST],
        refused=outcomes[Outcome.REFUSED],
        errors=outcomes[Outcome.ERROR],
        dropped=outcomes[Outcome.DROPPED],
        interrupted=outcomes[Outcome.INTERRUPTED],
        twice=sum(count - 1 for count in ids.values()) + repeated,
    )
