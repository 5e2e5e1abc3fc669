"""From rows to metrics: pure functions, nothing estimated and nothing remembered.

A percentile here is always a value that was measured (nearest rank), never one in between.
"""

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from benchmarks.records.samples import Outcome, Phase, Sample


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


def tally(measured: Sequence[Sample], repeated: int) -> Tally:
    """What became of these. `repeated` is how many callbacks came a second time: an outcome delivered twice."""
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
