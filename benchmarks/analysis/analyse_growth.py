"""Fits lines to the measurements of `kit bench growth`: pure functions of the raw pairs.

The metric is the ratio of the grown server to the small one, which got the same requests at the same time. A line is
fitted to the ratios by least squares, over the logarithm of the size or the size itself, whichever fits better. Its
slope has a 95 % bootstrap interval, which resamples rounds, then pairs within them.
"""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from benchmarks.analysis.bootstrap import percentile, repeat, resample, with_interval
from benchmarks.analysis.growth_findings import GrowthFindings, GrowthLine, GrowthPoint, MemoryPerItem, SoakResult
from benchmarks.analysis.measures import Estimate
from benchmarks.records.growth import Axis, GrowthRecord, Pair, SoakReading, SoakRecord

_PERCENTS = (50.0, 99.0)
_RESAMPLES = 500
#: The linear fit is chosen only if its residual is below this share of the logarithmic one.
_CLEARLY_BETTER = 0.5
_EXACT_FIT = 1e-9
#: The first part of a soak fills caches and buffers.
_SETTLED = 0.5

Numbers = NDArray[np.float64]


def analyse_growth(record: GrowthRecord, pairs: Sequence[Pair], seed: int = 0) -> GrowthFindings:
    """The findings of a run of `kit bench growth`."""
    by_request: dict[tuple[object, ...], dict[int, list[Pair]]] = {}
    for pair in pairs:
        by_request.setdefault((pair.pattern, pair.axis, pair.action), {}).setdefault(pair.size, []).append(pair)
    return GrowthFindings(
        record=record,
        lines=tuple(line for by_size in by_request.values() for line in _lines(by_size, record.small, seed)),
        weights=memory_per_item(record),
        expiries=record.expiries,
        soaks=tuple(map(soak_result, record.soaks)),
    )


def _lines(by_size: Mapping[int, list[Pair]], small: Mapping[str, int], seed: int) -> list[GrowthLine]:
    """A line for each percentile."""
    sizes = sorted(by_size)
    first = by_size[sizes[0]][0]
    rng = np.random.default_rng(seed)
    resampled = {size: _resampled_ratios(by_size[size], rng) for size in sizes}
    lines = []
    for at, percent in enumerate(_PERCENTS):
        points = []
        for size in sizes:
            seconds = np.array([(pair.small_seconds, pair.grown_seconds) for pair in by_size[size]])
            few, many = (percentile(seconds[:, side], percent) for side in (0, 1))
            ratio = with_interval(float(_ratios(seconds)[at]), resampled[size][:, at])
            points.append(GrowthPoint(size, few, many, ratio))
        x = np.array([small.get(first.axis, 1), *sizes], dtype=float)
        values = np.array([1.0, *(point.ratio.value for point in points)])
        resampled_values = np.column_stack([np.ones(_RESAMPLES), *(resampled[size][:, at] for size in sizes)])
        slope, start, tenfold = fit_line(x, values, resampled_values)
        lines.append(GrowthLine(first.pattern, first.axis, first.action, percent, tuple(points), slope, start, tenfold))
    return lines


def fit_line(sizes: Numbers, values: Numbers, resampled: Numbers) -> tuple[Estimate, float, bool]:
    """Fit a line to `values`. `resampled` has a row for each resample, which give the interval of the slope.

    Returns slope, intercept, and whether they are per tenfold of the size (True) or per thousand (False).
    """
    scales = {True: np.log10(sizes), False: sizes / 1000}
    residuals = {tenfold: _residual(x, values) for tenfold, x in scales.items()}
    tenfold = residuals[True] < _EXACT_FIT or residuals[False] >= _CLEARLY_BETTER * residuals[True]
    x = scales[tenfold]
    slope, start = np.polyfit(x, values, 1)
    return with_interval(float(slope), np.polyfit(x, resampled.T, 1)[0]), float(start), bool(tenfold)


def memory_per_item(record: GrowthRecord) -> tuple[MemoryPerItem, ...]:
    """The memory of one more item on each axis."""
    readings: dict[tuple[str, Axis, str], list[tuple[int, int]]] = {}
    for reading in record.weights:
        readings.setdefault((reading.pattern, reading.axis, reading.role), []).append((reading.size, reading.bytes))
    return tuple(
        MemoryPerItem(*key, _slope([size for size, _ in memory], [used for _, used in memory]))
        for key, memory in readings.items()
        if len(memory) > 1
    )


def soak_result(soak: SoakRecord) -> SoakResult:
    """The growth per task and per record alone, both fitted over the second half."""
    first, last = soak.expired
    return SoakResult(
        pattern=soak.pattern,
        tasks=soak.tasks,
        keeper=soak.keeper,
        record_bytes=_slopes(soak.filled)[soak.keeper],
        kept_bytes=_slopes(soak.kept),
        expired_bytes={role: (last.in_use[role] - first.in_use[role]) / soak.tasks for role in first.in_use},
        handles={role: soak.handles_after[role] - before for role, before in soak.handles_before.items()},
        threads={role: soak.threads_after[role] - before for role, before in soak.threads_before.items()},
    )


def _slopes(readings: Sequence[SoakReading]) -> dict[str, float]:
    settled = readings[int(_SETTLED * (len(readings) - 1)) :]
    tasks = [reading.tasks for reading in settled]
    return {role: _slope(tasks, [reading.in_use[role] for reading in settled]) for role in settled[0].in_use}


def _slope(x: Sequence[int], y: Sequence[int]) -> float:
    return float(np.polyfit(np.array(x, dtype=float), np.array(y, dtype=float), 1)[0])


def _resampled_ratios(pairs: Sequence[Pair], rng: np.random.Generator) -> Numbers:
    """The ratio at each percentile, with a row for each resample."""
    by_round: dict[int, list[tuple[float, float]]] = {}
    for pair in pairs:
        by_round.setdefault(pair.round, []).append((pair.small_seconds, pair.grown_seconds))
    rounds = [np.array(seconds) for seconds in by_round.values()]
    return repeat(lambda: _ratios(resample(rounds, rng)), _RESAMPLES)


def _ratios(seconds: Numbers) -> Numbers:
    """The ratio of the grown server's latency to the small one's, at each percentile.

    At the median, it is the median ratio within pairs, which cancels what slows both requests of a pair. At p99 it is
    the ratio of the two p99s, because the slowest requests of the two servers do not coincide.
    """
    few, many = np.percentile(seconds, _PERCENTS[1], axis=0, method="inverted_cdf")
    return np.array([np.median(seconds[:, 1] / seconds[:, 0]), many / few])


def _residual(x: Numbers, values: Numbers) -> float:
    return float(np.sum((np.polyval(np.polyfit(x, values, 1), x) - values) ** 2))
