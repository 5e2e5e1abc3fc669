"""Metrics of rows: pure functions.

Percentiles are always measured values (nearest rank), never interpolated.
"""

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from benchmarks.records.samples import Outcome, Phase, Sample


def percentile(ordered: Sequence[float], percent: float) -> float:
    """The smallest value that at least `percent` of all values do not exceed (nearest rank).

    `ordered` is sorted and not empty; 0 < `percent` <= 100. With fewer than 100 values, p99 is the maximum.
    """
    if not ordered:
        raise ValueError("no values")
    if not 0 < percent <= 100:
        raise ValueError(f"percent must be above 0 and at most 100, not {percent:g}")
    # Multiply first: 0.95 * 20 is 19.000000000000004 in floating point, whose ceiling is 20.
    return ordered[math.ceil(percent * len(ordered) / 100) - 1]


@dataclass(frozen=True)
class Tally:
    """The outcomes of all tasks that were due to be sent."""

    offered: int
    accepted: int
    completed: int
    failed: int
    lost: int
    refused: int
    errors: int
    dropped: int
    interrupted: int
    twice: int  # duplicate task ids or deliveries: a duplicate can hide a loss

    @property
    def all_well(self) -> bool:
        """Whether every task was accepted and completed exactly once."""
        return self.offered == self.accepted == self.completed and self.twice == 0


def tasks_per_second(rows: Sequence[Sample]) -> float | None:
    """The throughput while load was offered, over all trials; None without such a time.

    Tasks of the warm-up that finish in that time count; they make up for the last tasks, which finish after it.
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


def tally(measured: Sequence[Sample], repeated: int) -> Tally:
    """Count the outcomes of these tasks. `repeated` is the number of repeated callbacks: outcomes delivered twice."""
    outcomes = Counter(row.outcome for row in measured)
    ids = Counter(row.task_id for row in measured if row.task_id)
    return Tally(
        offered=len(measured),
        accepted=sum(row.accepted is not None for row in measured),
        completed=outcomes[Outcome.COMPLETED],
        failed=outcomes[Outcome.FAILED],
        lost=outcomes[Outcome.LOST],
        refused=outcomes[Outcome.REFUSED],
        errors=outcomes[Outcome.ERROR],
        dropped=outcomes[Outcome.DROPPED],
        interrupted=outcomes[Outcome.INTERRUPTED],
        twice=sum(count - 1 for count in ids.values()) + repeated,
    )
