"""The arithmetic of `kit bench growth`, with synthetic measurements."""

from dataclasses import replace

import numpy as np
import pytest

from benchmarks.analysis.analyse_growth import analyse_growth, fit_line, memory_per_item, soak_result
from benchmarks.analysis.growth_findings import GrowthFindings, GrowthLine, GrowthVerdict
from benchmarks.records.growth import (
    Axis,
    GrowthRecord,
    MemoryReading,
    Pair,
)
from benchmarks.report.sections.growth_soak import MOST_DIFFERENCE
from tests.benchmarks.growth_factory import SIZES, SMALL, a_soak, pairs


def findings_of(*measured: list[Pair], record: GrowthRecord | None = None) -> GrowthFindings:
    """The findings of these pairs."""
    return analyse_growth(
        record or GrowthRecord(small=SMALL), [pair for pairs_of_run in measured for pair in pairs_of_run]
    )


def median(measured: list[Pair]) -> GrowthLine:
    """The line of the medians."""
    return findings_of(measured).of(Axis.RECORDS, 50)[0]


def within(line: GrowthLine, slope: float) -> bool:
    """Whether the interval of the slope includes this value."""
    return line.slope.low is not None and line.slope.high is not None and line.slope.low <= slope <= line.slope.high


def test_a_constant_latency_is_flat_with_a_slope_of_zero() -> None:
    line = median(pairs(dict.fromkeys(SIZES, 1.0)))

    assert line.verdict is GrowthVerdict.FLAT
    assert within(line, 0.0)
    assert [point.size for point in line.points] == list(SIZES)
    assert all(point.ratio.value == pytest.approx(1.0, abs=0.05) for point in line.points)


def test_a_latency_that_grows_per_tenfold_has_that_slope() -> None:
    line = median(pairs({10_000: 1.2, 100_000: 1.4, 1_000_000: 1.6}))

    assert line.verdict is GrowthVerdict.GROWS
    assert line.tenfold
    assert line.slope.value == pytest.approx(0.2, abs=0.02)
    assert within(line, 0.2)
    assert line.at(100_000) == pytest.approx(1.4, abs=0.05)


def test_a_latency_that_grows_per_record_has_that_slope() -> None:
    line = median(pairs({size: 1 + size / 1_000_000 for size in SIZES}))

    assert line.verdict is GrowthVerdict.GROWS
    assert not line.tenfold
    assert within(line, 0.001)  # per thousand
    assert line.at(500_000) == pytest.approx(1.5, abs=0.05)


def test_a_small_increase_is_flat_and_an_uncertain_one_is_unclear() -> None:
    assert median(pairs(dict.fromkeys(SIZES, 1.05))).verdict is GrowthVerdict.FLAT
    assert median(pairs(dict.fromkeys(SIZES, 1.25))).verdict is GrowthVerdict.GROWS
    assert median(pairs(dict.fromkeys(SIZES, 1.15), noise=2.5)).verdict is not GrowthVerdict.GROWS


def test_a_slow_moment_of_the_machine_affects_both_and_cancels_out() -> None:
    calm = pairs(dict.fromkeys(SIZES, 1.0))
    slow = [
        replace(pair, small_seconds=9 * pair.small_seconds, grown_seconds=9 * pair.grown_seconds)
        if pair.round == 3
        else pair
        for pair in calm
    ]
    assert median(slow).verdict is GrowthVerdict.FLAT


def test_tails_are_judged_separately_from_medians() -> None:
    measured = [
        replace(pair, grown_seconds=20 * pair.grown_seconds) if number % 30 == 0 else pair
        for number, pair in enumerate(pairs(dict.fromkeys(SIZES, 1.0)))
    ]
    seen = findings_of(measured)

    assert seen.of(Axis.RECORDS, 50)[0].verdict is GrowthVerdict.FLAT
    assert seen.of(Axis.RECORDS, 99)[0].verdict is GrowthVerdict.GROWS


def test_the_line_with_the_better_fit_is_chosen() -> None:
    sizes = np.array([1, 10, 100, 1000], dtype=float)
    for values, over_logarithm, expected in (
        (1 + 0.3 * np.log10(sizes), True, 0.3),
        (1 + 0.002 * sizes, False, 2.0),
        (np.ones(4), True, 0.0),
    ):
        slope, intercept, tenfold = fit_line(sizes, values, np.tile(values, (50, 1)))
        assert tenfold is over_logarithm
        assert slope.value == pytest.approx(expected, abs=1e-9)
        assert intercept == pytest.approx(1.0)


def test_the_memory_per_item_is_the_slope_of_the_memory() -> None:
    looks = tuple(
        MemoryReading("mine", Axis.WAITING, size, "web server", 40_000_000 + 700 * size) for size in (1, 100, 1_000)
    )

    [memory] = memory_per_item(GrowthRecord(weights=looks))

    assert memory.bytes_per_item == pytest.approx(700)


def test_a_soak_shows_how_much_memory_beyond_the_records_stays() -> None:
    honest, leaky = soak_result(a_soak(600.0)), soak_result(a_soak(660.0, left=2_400_000))

    assert honest.difference == pytest.approx(0, abs=0.001)
    assert leaky.difference == pytest.approx(0.1, abs=0.001)
    assert leaky.difference > MOST_DIFFERENCE
    assert leaky.expired_bytes["web server"] == pytest.approx(100)
    assert (honest.handles["web server"], leaky.handles["web server"]) == (0, 1)
