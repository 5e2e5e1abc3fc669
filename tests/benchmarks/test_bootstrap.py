"""Confidence intervals: correct coverage, paired differences, and resampling of rounds."""

import random

import numpy as np
import pytest

from benchmarks.analysis.bootstrap import median_difference, percentile, percentile_estimate
from benchmarks.analysis.metrics import percentile as by_rank


@pytest.mark.parametrize("percent", [50, 95, 99])
def test_percentiles_agree_with_the_definition(percent: float) -> None:
    for count in range(1, 300):
        values = np.arange(1.0, count + 1)
        assert percentile(values, percent) == by_rank(values.tolist(), percent)


def test_the_interval_contains_the_true_median_about_95_percent_of_the_time() -> None:
    rng, hits = random.Random(7), 0
    for turn in range(60):
        values = np.array([rng.expovariate(1) for _ in range(100)])
        (estimate,) = percentile_estimate([values], [50], turn)
        assert estimate.low is not None
        assert estimate.high is not None
        hits += estimate.low <= np.log(2) <= estimate.high
    assert hits >= 52


def test_differences_between_rounds_widen_the_interval_however_many_tasks_there_are() -> None:
    rng = random.Random(1)
    same = [np.array([1 + rng.uniform(-0.1, 0.1) for _ in range(200)]) for _ in range(5)]
    slow_minutes = [values + shift for values, shift in zip(same, (0, 0, 0.5, 0, 1.0), strict=True)]
    (narrow,), (wide,) = percentile_estimate(same, [50], 0), percentile_estimate(slow_minutes, [50], 0)
    assert narrow.high is not None
    assert narrow.low is not None
    assert wide.high is not None
    assert wide.low is not None
    assert wide.high - wide.low > 5 * (narrow.high - narrow.low)


def test_few_values_have_no_interval() -> None:
    (estimate,) = percentile_estimate([np.array([1.0, 2.0])], [50], 0)
    assert (estimate.value, estimate.low, estimate.high) == (1.0, None, None)


def by_round(shift: float, spread: float, seed: int, rounds: int = 5) -> dict[int, dict[int, float]]:
    """Tasks whose work varies far more than the contenders differ."""
    rng = random.Random(seed)
    work = random.Random(99)
    return {
        turn: {number: work.uniform(0, 1) + shift + rng.uniform(0, spread) for number in range(100)}
        for turn in range(1, rounds + 1)
    }


def test_a_small_difference_is_detected_because_tasks_are_paired() -> None:
    estimate = median_difference(by_round(0.02, 0.001, 1), by_round(0.0, 0.001, 2), 0)
    assert estimate is not None
    assert estimate.low is not None
    assert estimate.high is not None
    assert 0.01 < estimate.low <= estimate.value <= estimate.high < 0.03


def test_without_a_difference_the_interval_includes_zero() -> None:
    estimate = median_difference(by_round(0.0, 0.01, 1), by_round(0.0, 0.01, 2), 0)
    assert estimate is not None
    assert estimate.low is not None
    assert estimate.high is not None
    assert estimate.low <= 0 <= estimate.high


def test_only_tasks_that_both_have_are_compared() -> None:
    assert median_difference({1: {1: 1.0}}, {2: {1: 1.0}}, 0) is None
    estimate = median_difference({1: {1: 3.0, 2: 9.0}}, {1: {1: 1.0, 3: 0.0}}, 0)
    assert estimate is not None
    assert (estimate.value, estimate.low) == (2.0, None)


def test_the_same_seed_gives_the_same_interval() -> None:
    first = median_difference(by_round(0.02, 0.1, 1), by_round(0.0, 0.1, 2), 5)
    assert first == median_difference(by_round(0.02, 0.1, 1), by_round(0.0, 0.1, 2), 5)
