"""Lines through what was measured as work grew: pure functions of the raw pairs.

What counts is the ratio of a grown server to a small one that was asked in the same moments. Through the ratios a
line is laid by least squares, over the logarithm of the size or over the size itself: that which lies closer. Its
slope has a 95 % interval by the bootstrap, as everywhere: first rounds, then pairs within them, both of a pair or none.
"""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from benchmarks.analysis.bootstrap import percentile
from benchmarks.analysis.findings import Estimate
from benchmarks.analysis.growth_findings import Growth, GrowthLine, GrowthPoint, ItemWeight, SoakFinding
from benchmarks.records.growth import Axis, GrowthRecord, Pair, Soaked, SoakLook

_PERCENTS = (50.0, 99.0)
_TIMES = 500
_LOW, _HIGH = 2.5, 97.5
#: Where both lines lie about as close, the logarithm is meant: the sizes are spread by it.
_CLEARLY_CLOSER = 0.5
_ON_THE_LINE = 1e-9
#: The first part of a soak is caches and buffers that are filled once.
_SETTLED = 0.5

Numbers = NDArray[np.float64]


def growth(record: GrowthRecord, pairs: Sequence[Pair], seed: int = 0) -> Growth:
    """Everything that a run has shown."""
    found: dict[tuple[object, ...], dict[int, list[Pair]]] = {}
    for pair in pairs:
        found.setdefault((pair.pattern, pair.axis, pair.action), {}).setdefault(pair.size, []).append(pair)
    return Growth(
        record=record,
        lines=tuple(line for by_size in found.values() for line in _lines(by_size, record.small, seed)),
        weights=weights(record),
        expiries=record.expiries,
        soaks=tuple(map(soaked, record.soaks)),
    )


def _lines(by_size: Mapping[int, list[Pair]], small: Mapping[str, int], seed: int) -> list[GrowthLine]:
    """One line for each percentile."""
    sizes = sorted(by_size)
    one = by_size[sizes[0]][0]
    chance = np.random.default_rng(seed)
    drawn = {size: _drawn(by_size[size], chance) for size in sizes}
    lines = []
    for at, percent in enumerate(_PERCENTS):
        points = []
        for size in sizes:
            few = percentile(np.array([pair.small_seconds for pair in by_size[size]]), percent)
            many = percentile(np.array([pair.grown_seconds for pair in by_size[size]]), percent)
            both = np.array([(pair.small_seconds, pair.grown_seconds) for pair in by_size[size]])
            points.append(GrowthPoint(size, few, many, _with_interval(float(_ratios(both)[at]), drawn[size][:, at])))
        x = np.array([small.get(one.axis, 1), *sizes], dtype=float)
        value = np.array([1.0, *(point.ratio.value for point in points)])
        again = np.column_stack([np.ones(_TIMES), *(drawn[size][:, at] for size in sizes)])
        slope, begin, tenfold = line_through(x, value, again)
        lines.append(GrowthLine(one.pattern, one.axis, one.action, percent, tuple(points), slope, begin, tenfold))
    return lines


def line_through(sizes: Numbers, values: Numbers, again: Numbers) -> tuple[Estimate, float, bool]:
    """The slope of the line through the values, with an interval by what was drawn `again`, a row for each time.

    Then where the line begins. With True they are of the logarithm of the size, with False of its thousands.
    """
    ways = {True: np.log10(sizes), False: sizes / 1000}
    off = {tenfold: _residual(x, values) for tenfold, x in ways.items()}
    tenfold = off[True] < _ON_THE_LINE or off[False] >= _CLEARLY_CLOSER * off[True]
    x = ways[tenfold]
    slope, begin = np.polyfit(x, values, 1)
    return _with_interval(float(slope), np.polyfit(x, again.T, 1)[0]), float(begin), bool(tenfold)


def weights(record: GrowthRecord) -> tuple[ItemWeight, ...]:
    """What one more of each costs in memory."""
    found: dict[tuple[str, Axis, str], list[tuple[int, int]]] = {}
    for one in record.weights:
        found.setdefault((one.pattern, one.axis, one.role), []).append((one.size, one.bytes))
    return tuple(
        ItemWeight(*key, _slope([size for size, _ in looks], [used for _, used in looks]))
        for key, looks in found.items()
        if len(looks) > 1
    )


def soaked(one: Soaked) -> SoakFinding:
    """The slopes of the second half, of the tasks and of the records alone, over the same numbers of records."""
    first, last = one.expired
    return SoakFinding(
        pattern=one.pattern,
        tasks=one.tasks,
        keeper=one.keeper,
        record_bytes=_slopes(one.filled)[one.keeper],
        kept_bytes=_slopes(one.kept),
        expired_bytes={role: (last.in_use[role] - first.in_use[role]) / one.tasks for role in first.in_use},
        handles={role: one.handles_after[role] - before for role, before in one.handles_before.items()},
        threads={role: one.threads_after[role] - before for role, before in one.threads_before.items()},
    )


def _slopes(looks: Sequence[SoakLook]) -> dict[str, float]:
    settled = looks[int(_SETTLED * (len(looks) - 1)) :]
    tasks = [look.tasks for look in settled]
    return {role: _slope(tasks, [look.in_use[role] for look in settled]) for role in settled[0].in_use}


def _slope(x: Sequence[int], y: Sequence[int]) -> float:
    return float(np.polyfit(np.array(x, dtype=float), np.array(y, dtype=float), 1)[0])


def _drawn(pairs: Sequence[Pair], chance: np.random.Generator) -> Numbers:
    """The ratios at all percentiles, drawn again and again: a row for each time."""
    by_round: dict[int, list[tuple[float, float]]] = {}
    for pair in pairs:
        by_round.setdefault(pair.round, []).append((pair.small_seconds, pair.grown_seconds))
    rounds = [np.array(one) for one in by_round.values()]
    found = np.empty((_TIMES, len(_PERCENTS)))
    for number in range(_TIMES):
        chosen = [rounds[i] for i in chance.integers(0, len(rounds), len(rounds))]
        drawn = np.concatenate([one[chance.integers(0, len(one), len(one))] for one in chosen])
        found[number] = _ratios(drawn)
    return found


def _ratios(pairs: Numbers) -> Numbers:
    """How many times as long the grown server takes, at each percentile.

    For the median that of the pairs' own ratios: what slows both of a pair down is in none of them. A tail has no
    pairs: who is slow once a hundred times is so at another moment than the other.
    """
    few, many = np.percentile(pairs, _PERCENTS[1], axis=0, method="inverted_cdf")
    return np.array([np.median(pairs[:, 1] / pairs[:, 0]), many / few])


def _residual(x: Numbers, values: Numbers) -> float:
    return float(np.sum((np.polyval(np.polyfit(x, values, 1), x) - values) ** 2))


def _with_interval(value: float, again: Numbers) -> Estimate:
    low, high = np.percentile(again, [_LOW, _HIGH])
    return Estimate(value, min(float(low), value), max(float(high), value))
