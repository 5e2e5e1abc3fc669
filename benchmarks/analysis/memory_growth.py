"""The memory that each task leaves behind, from a soak."""

from collections.abc import Sequence

import numpy as np

from benchmarks.analysis.findings import Soak
from benchmarks.records.run import Trial
from benchmarks.records.samples import Sample

#: The first part of a trial fills caches and connection pools.
_SETTLING = 0.25
_FEWEST_READINGS = 5


def memory_growth(contender: str, trial: Trial, rows: Sequence[Sample]) -> Soak | None:
    """The growth of each role's memory per accepted task; None if none was accepted."""
    accepted = sorted(row.accepted for row in rows if row.accepted is not None)
    if not accepted:
        return None
    growth = {}
    for usage in trial.usage:
        settled = _SETTLING * (trial.ended - trial.began)
        readings = [(at, used) for at, used in usage.memory if at >= settled and used]
        if len(readings) < _FEWEST_READINGS:
            continue
        times, bytes_used = (np.array(column, dtype=float) for column in zip(*readings, strict=True))
        tasks = np.searchsorted(np.array(accepted), trial.began + times)
        if tasks[-1] > tasks[0]:
            growth[usage.role] = float(np.polyfit(tasks, bytes_used, 1)[0])
    return Soak(contender, len(accepted), trial.ended - trial.began, growth)
