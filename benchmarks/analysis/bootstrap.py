"""How far a number can be trusted: 95 % intervals by the bootstrap (Efron 1979), for percentiles and differences.

Resampled in two levels, as the data came: first whole rounds, because a slow minute of the machine is in all tasks of
its round, then tasks within them. With one round only its tasks can be resampled, and the interval says nothing about
what another round would have brought. (`scipy.stats.bootstrap` has a single level.)
"""

import math
from collections.abc import Callable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from benchmarks.analysis.measures import Estimate

RESAMPLES = 1000
_LOW, _HIGH = 2.5, 97.5
#: With fewer values there is no interval.
_FEWEST = 6

Values = NDArray[np.float64]


def percentile(values: Values, percent: float) -> float:
    """The smallest value that at least `percent` of all do not exceed (nearest rank): always one that was measured."""
    return float(_ranked(np.sort(values), (percent,))[0])


def percentile_estimate(rounds: Sequence[Values], percents: Sequence[float], seed: int) -> list[Estimate]:
    """Percentiles of all values together, each with its interval."""
    pooled = np.concatenate(list(rounds))
    values = [percentile(pooled, percent) for percent in percents]
    if len(pooled) < _FEWEST:
        return [Estimate(value) for value in values]
    chance = np.random.default_rng(seed)
    resampled = repeated(lambda: _ranked(np.sort(resample(rounds, chance)), percents))
    return [with_interval(value, resampled[:, at]) for at, value in enumerate(values)]


def median_difference(
    first: Mapping[int, Mapping[int, float]], second: Mapping[int, Mapping[int, float]], seed: int
) -> Estimate | None:
    """The median of `first` less that of `second`, of the tasks that both have: by round, and in it by task number.

    Paired: a task that was sent at the same moment with the same work is drawn for both, or for neither.
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
    chance = np.random.default_rng(seed)
    medians = repeated(lambda: _ranked(np.sort(resample(rounds, chance), axis=0), (50,))[0])
    return with_interval(value, medians[:, 0] - medians[:, 1])


def relative_change(before: Sequence[Values], after: Sequence[Values], percent: float, seed: int) -> Estimate:
    """How much a percentile has changed, as a part of what it was. Measured apart, so nothing is paired."""
    old, new = (percentile(np.concatenate(list(rounds)), percent) for rounds in (before, after))
    value = new / old - 1
    if min(sum(map(len, before)), sum(map(len, after))) < _FEWEST:
        return Estimate(value)
    chance = np.random.default_rng(seed)
    resampled = repeated(
        lambda: np.array([percentile(resample(rounds, chance), percent) for rounds in (before, after)])
    )
    return with_interval(value, resampled[:, 1] / resampled[:, 0] - 1)


def resample(rounds: Sequence[Values], chance: np.random.Generator) -> Values:
    """As many rounds as there are, drawn with replacement, and in each as many of its rows as it has."""
    drawn = [0] if len(rounds) == 1 else chance.integers(0, len(rounds), len(rounds))
    return np.concatenate([rounds[i][chance.integers(0, len(rounds[i]), len(rounds[i]))] for i in drawn])


def repeated(statistic: Callable[[], Values], times: int = RESAMPLES) -> Values:
    """A statistic of so many resamples: a row for each."""
    return np.array([statistic() for _ in range(times)])


def with_interval(value: float, resampled: Values) -> Estimate:
    """A value, and the interval that its resamples span."""
    low, high = np.percentile(resampled, [_LOW, _HIGH])
    # The resampled median may lie beside the value; an interval without its value would confuse every reader.
    return Estimate(value, min(float(low), value), max(float(high), value))


def _ranked(ordered: Values, percents: Sequence[float]) -> Values:
    """By nearest rank. NumPy's own `percentile` does the same, and takes twenty times as long for so few values."""
    # Multiplied first: 0.95 * 20 is 19.000000000000004 in binary, and would give the twentieth of twenty.
    ranks = [max(0, math.ceil(percent * len(ordered) / 100) - 1) for percent in percents]
    return np.asarray(ordered[ranks])
