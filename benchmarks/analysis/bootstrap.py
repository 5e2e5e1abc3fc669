"""95 % confidence intervals of percentiles and differences, by the bootstrap (Efron 1979).

Resampling has two levels: first rounds, because a slow minute of the machine affects all tasks of its round, then
tasks within them. With a single round, only tasks are resampled, so the interval says nothing about other rounds.
(`scipy.stats.bootstrap` has one level only.)
"""

import math
from collections.abc import Callable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from benchmarks.analysis.measures import Estimate

RESAMPLES = 1000
_LOW, _HIGH = 2.5, 97.5
#: The fewest values that give an interval.
_FEWEST = 6

Values = NDArray[np.float64]


def percentile(values: Values, percent: float) -> float:
    """The smallest value that at least `percent` of all do not exceed (nearest rank): always a measured value."""
    return float(_ranked(np.sort(values), (percent,))[0])


def percentile_estimate(rounds: Sequence[Values], percents: Sequence[float], seed: int) -> list[Estimate]:
    """Percentiles of the pooled values, each with its interval."""
    pooled = np.concatenate(list(rounds))
    values = [percentile(pooled, percent) for percent in percents]
    if len(pooled) < _FEWEST:
        return [Estimate(value) for value in values]
    rng = np.random.default_rng(seed)
    resampled = repeat(lambda: _ranked(np.sort(resample(rounds, rng)), percents))
    return [with_interval(value, resampled[:, at]) for at, value in enumerate(values)]


def median_difference(
    first: Mapping[int, Mapping[int, float]], second: Mapping[int, Mapping[int, float]], seed: int
) -> Estimate | None:
    """The median of `first` minus that of `second`, over the tasks that both have (by round, then by task number).

    Paired: tasks sent at the same moment with the same work are resampled together.
    """
    rounds = []
    for turn in sorted(set(first) & set(second)):
        numbers = sorted(set(first[turn]) & set(second[turn]))
        if numbers:
            rounds.append(np.array([[first[turn][n], second[turn][n]] for n in numbers]))
    if not rounds:
        return None
    pooled = np.concatenate(rounds)
    value = percentile(pooled[:, 0], 50) - percentile(pooled[:, 1], 50)
    if len(pooled) < _FEWEST:
        return Estimate(value)
    rng = np.random.default_rng(seed)
    medians = repeat(lambda: _ranked(np.sort(resample(rounds, rng), axis=0), (50,))[0])
    return with_interval(value, medians[:, 0] - medians[:, 1])


def relative_change(before: Sequence[Values], after: Sequence[Values], percent: float, seed: int) -> Estimate:
    """The relative change of a percentile between two independent runs: 0.1 is an increase of 10 %."""
    old, new = (percentile(np.concatenate(list(rounds)), percent) for rounds in (before, after))
    value = new / old - 1
    if min(sum(map(len, before)), sum(map(len, after))) < _FEWEST:
        return Estimate(value)
    rng = np.random.default_rng(seed)
    resampled = repeat(lambda: np.array([percentile(resample(rounds, rng), percent) for rounds in (before, after)]))
    return with_interval(value, resampled[:, 1] / resampled[:, 0] - 1)


def resample(rounds: Sequence[Values], rng: np.random.Generator) -> Values:
    """Draw as many rounds as there are, with replacement, and within each as many rows as it has."""
    drawn = [0] if len(rounds) == 1 else rng.integers(0, len(rounds), len(rounds))
    return np.concatenate([rounds[i][rng.integers(0, len(rounds[i]), len(rounds[i]))] for i in drawn])


def repeat(statistic: Callable[[], Values], times: int = RESAMPLES) -> Values:
    """The statistic of `times` resamples, with a row for each."""
    return np.array([statistic() for _ in range(times)])


def with_interval(value: float, resampled: Values) -> Estimate:
    """A value with the 95 % interval of its resamples."""
    low, high = np.percentile(resampled, [_LOW, _HIGH])
    # Always include the value itself: an interval without it would confuse readers.
    return Estimate(value, min(float(low), value), max(float(high), value))


def _ranked(ordered: Values, percents: Sequence[float]) -> Values:
    """Percentiles by nearest rank. NumPy's `percentile` does the same, twenty times slower for so few values."""
    # Multiply first: 0.95 * 20 is 19.000000000000004 in floating point, whose ceiling is 20.
    ranks = [max(0, math.ceil(percent * len(ordered) / 100) - 1) for percent in percents]
    return np.asarray(ordered[ranks])
