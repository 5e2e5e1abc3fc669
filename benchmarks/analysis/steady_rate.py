"""The steady rate: the latencies of each contender, the cost of a task, and which differences exceed the noise."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from benchmarks.analysis.bootstrap import median_difference, percentile, percentile_estimate
from benchmarks.analysis.findings import Difference, RoleUsage, Steady
from benchmarks.analysis.margin import margin
from benchmarks.analysis.measures import Measure, Spread
from benchmarks.analysis.metrics import tally, tasks_per_second
from benchmarks.records.run import Trial
from benchmarks.records.samples import Phase, Sample

Rows = Mapping[int, Sequence[Sample]]  # by trial

#: The measures that are compared between contenders.
COMPARED = (Measure.SUBMIT_LATENCY, Measure.NOTIFICATION_LAG, Measure.END_TO_END)


def steady_rate(contender: str, trials: Sequence[Trial], rows: Rows, callbacks: Counter[str], seed: int) -> Steady:
    """The pooled valid trials of one contender."""
    everything = [row for trial in trials for row in rows[trial.number]]
    measured = [row for row in everything if row.phase is Phase.MEASURED]
    accepted = [row for row in measured if row.accepted is not None]
    repeated = callbacks["repeated"]
    return Steady(
        contender=contender,
        trials=len(trials),
        tally=tally(measured, repeated),
        spreads=_spreads(trials, rows, seed),
        stages=_stages(accepted),
        tasks_per_second=tasks_per_second(everything),
        requests_per_task=(sum(row.requests for row in accepted) + repeated) / len(accepted) if accepted else None,
        usage=_usage(trials, everything),
        deepest_queue=max((max_queue_depth(rows[trial.number]) for trial in trials), default=0),
    )


def differences(
    pairs: Iterable[tuple[str, str]], trials: Mapping[str, Sequence[Trial]], rows: Rows, seed: int, noise: float
) -> tuple[Difference, ...]:
    """The differences of the medians of each pair, for every compared measure. `noise` is as in `margin`."""
    all_differences = []
    for first, second in pairs:
        for measure in COMPARED:
            left, right = (_by_round(trials[name], rows, measure) for name in (first, second))
            if (estimate := median_difference(left, right, seed)) is not None:
                one_round = len({turn for turn in left if set(left[turn]) & set(right.get(turn, ()))}) == 1
                least = margin(_median(left), _median(right), noise) if one_round else 0.0
                all_differences.append(Difference(measure, first, second, estimate, one_round, least))
    return tuple(all_differences)


def pairs_within(groups: Iterable[Sequence[str]]) -> list[tuple[str, str]]:
    """Every pair of contenders in the same group, without duplicates."""
    return list(dict.fromkeys(pair for group in groups for pair in combinations(group, 2)))


def max_queue_depth(rows: Sequence[Sample]) -> int:
    """The most tasks that were accepted but not started at any moment."""
    steps = []
    for row in rows:
        if row.accepted is not None:
            # The work may start before its 202 arrives: then the task did not wait.
            steps.append((min(row.accepted, row.started or row.accepted), +1))
            end = row.started or row.ended
            if end is not None:
                steps.append((end, -1))
    depth = most = 0
    for _, change in sorted(steps):
        depth += change
        most = max(most, depth)
    return most


def _median(by_round: Mapping[int, Mapping[int, float]]) -> float:
    return percentile(np.array([value for values in by_round.values() for value in values.values()]), 50)


def measure_of(row: Sample, measure: Measure) -> float | None:
    """One measure of one task."""
    value: float | None = getattr(row, measure.value)
    return value


def rounds_of(trials: Sequence[Trial], rows: Rows, measure: Measure) -> list[NDArray[np.float64]]:
    """The measured values of each round, without empty rounds."""
    return [np.array(values) for trial in trials if (values := _values(rows[trial.number], measure))]


def _values(rows: Iterable[Sample], measure: Measure) -> list[float]:
    return [v for row in rows if _counts(row) and (v := measure_of(row, measure)) is not None]


def _counts(row: Sample) -> bool:
    return row.phase is Phase.MEASURED and row.accepted is not None


def _spreads(trials: Sequence[Trial], rows: Rows, seed: int) -> dict[Measure, Spread]:
    spreads = {}
    for measure in Measure:
        if rounds := rounds_of(trials, rows, measure):
            p50, p95, p99 = percentile_estimate(rounds, (50, 95, 99), seed)
            count = sum(len(values) for values in rounds)
            spreads[measure] = Spread(count, p50, p95, p99, float(max(values.max() for values in rounds)))
    return spreads


def _by_round(trials: Sequence[Trial], rows: Rows, measure: Measure) -> dict[int, dict[int, float]]:
    return {
        trial.round: {
            row.number: value
            for row in rows[trial.number]
            if _counts(row) and (value := measure_of(row, measure)) is not None
        }
        for trial in trials
    }


def _stages(accepted: Sequence[Sample]) -> dict[Measure, float]:
    """The mean of each stage. If the work starts before the 202 arrives, submit ends at the start."""
    finished = [row for row in accepted if None not in (row.started, row.finished, row.notified)]
    if not finished:
        return {}

    def mean(measure: Callable[[Sample, float, float, float, float], float]) -> float:
        total = 0.0
        for row in finished:
            accepted_at = min(row.accepted or 0.0, row.started or 0.0)
            total += measure(row, accepted_at, row.started or 0.0, row.finished or 0.0, row.notified or 0.0)
        return total / len(finished)

    return {
        Measure.SUBMIT_LATENCY: mean(lambda row, accepted, *_: accepted - row.intended),
        Measure.QUEUE_WAIT: mean(lambda _, accepted, started, *__: started - accepted),
        Measure.EXECUTION: mean(lambda _, __, started, finished, ___: finished - started),
        Measure.NOTIFICATION_LAG: mean(lambda _, __, ___, finished, notified: notified - finished),
    }


def _usage(trials: Sequence[Trial], rows: Sequence[Sample]) -> tuple[RoleUsage, ...]:
    tasks = sum(row.accepted is not None for row in rows)
    cpu: dict[str, float] = {}
    peak: dict[str, int] = {}
    for trial in trials:
        for usage in trial.usage:
            cpu[usage.role] = cpu.get(usage.role, 0.0) + usage.cpu_seconds
            peak[usage.role] = max(peak.get(usage.role, 0), usage.peak_memory_bytes)
    return tuple(RoleUsage(role, seconds / tasks, peak[role]) for role, seconds in cpu.items()) if tasks else ()
