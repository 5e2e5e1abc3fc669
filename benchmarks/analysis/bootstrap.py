"""How far a number can be trusted: 95 % intervals by the bootstrap (Efron 1979), for percentiles and differences.

Resampled in two levels, as the data came: first whole rounds, because a slow minute of the machine is in all tasks of
its round, then tasks within them. With one round only its tasks can be resampled, and the interval says nothing of
what another round would have brought.
"""

import math
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from benchmarks.analysis.findings import Estimate

_TIMES = 1000
_LOW, _HIGH = 2.5, 97.5
#: With fewer values nothing is said.
_FEWEST = 6

Values = NDArray[np.float64]


def percentile(values: Values, percent: float) -> float:
    """The smallest value that at least `percent` of all do not exceed (nearest rank): always one that was measured."""
    return float(_ranked(np.sort(values), (percent,))[0])


def percentile_estimate(rounds: Sequence[Values], percents: Sequence[float], seed: int) -> list[Estimate]:
    """Percentiles of all values together, each with its interval."""
    pooled = np.concatenate(list(rounds))
    found = [percentile(pooled, percent) for percent in percents]
    if len(pooled) < _FEWEST:
        return [Estimate(value) for value in found]
    chance = np.random.default_rng(seed)
    again = np.empty((_TIMES, len(percents)))
    for number in range(_TIMES):
        drawn = np.concatenate([_resampled(rounds[i], chance) for i in _rounds(len(rounds), chance)])
        drawn.sort()
        again[number] = _ranked(drawn, percents)
    return [_with_interval(value, again[:, at]) for at, value in enumerate(found)]


def median_difference(
    one: Mapping[int, Mapping[int, float]], other: Mapping[int, Mapping[int, float]], seed: int
) -> Estimate | None:
    """The median of `one` less that of `other`, of the tasks that both have: rounds, and in them tasks by number.

    Paired: a task that was sent at the same moment with the same work is drawn for both, or for neither.
    """
    rounds = []
    for turn in sorted(set(one) & set(other)):
        numbers = sorted(set(one[turn]) & set(other[turn]))
        if numbers:
            rounds.append(np.array([[one[turn][n], other[turn][n]] for n in numbers]))
    if not rounds:
        return None
    pooled = np.concatenate(rounds)
    value = percentile(pooled[:, 0], 50) - percentile(pooled[:, 1], 50)
    if len(pooled) < _FEWEST:
        return Estimate(value)
    chance = np.random.default_rng(seed)
    again = np.empty(_TIMES)
    for number in range(_TIMES):
        drawn = np.concatenate([_resampled(rounds[i], chance) for i in _rounds(len(rounds), chance)])
        drawn.sort(axis=0)
        ((first, second),) = _ranked(drawn, (50,))
        again[number] = first - second
    return _with_interval(value, again)


def relative_change(before: Sequence[Values], after: Sequence[Values], percent: float, seed: int) -> Estimate:
    """How much a percentile has changed, as a part of what it was. Measured apart, so nothing is paired."""
    old, new = (percentile(np.concatenate(list(rounds)), percent) for rounds in (before, after))
    value = new / old - 1
    if min(sum(map(len, before)), sum(map(len, after))) < _FEWEST:
        return Estimate(value)
    chance = np.random.default_rng(seed)
    again = np.empty(_TIMES)
    for number in range(_TIMES):
        drawn = [
            np.concatenate([_resampled(rounds[i], chance) for i in _rounds(len(rounds), chance)])
            for rounds in (before, after)
        ]
        again[number] = percentile(drawn[1], percent) / percentile(drawn[0], percent) - 1
    return _with_interval(value, again)


def _ranked(ordered: Values, percents: Sequence[float]) -> Values:
    """By nearest rank. NumPy's own `percentile` does the same, and takes twenty times as long for so few values."""
    # Multiplied first: 0.95 * 20 is 19.000000000000004 in binary, and would give the twentieth of twenty.
    ranks = [max(0, math.ceil(percent * len(ordered) / 100) - 1) for percent in percents]
    return np.asarray(ordered[ranks])


def _rounds(count: int, chance: np.random.Generator) -> list[int]:
    return [0] if count == 1 else [int(i) for i in chance.integers(0, count, count)]


def _resampled(values: Values, chance: np.random.Generator) -> Values:
    return values[chance.integers(0, len(values), len(values))]


def _with_interval(value: float, again: Values) -> Estimate:
    low, high = np.percentile(again, [_LOW, _HIGH])
    # The median of what was drawn may lie beside the value; an interval without its value would confuse everybody.
    return Estimate(value, min(float(low), value), max(float(high), value))
