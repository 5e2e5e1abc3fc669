"""Sweep, burst, overload and soak, checked against values computed by hand."""

import math
from collections import Counter

import pytest

from benchmarks.analysis.measures import Measure
from benchmarks.analysis.memory_growth import memory_growth
from benchmarks.analysis.saturation import burst, overload, sweep
from benchmarks.analysis.steady_rate import max_queue_depth, steady_rate
from benchmarks.records.run import Mode, Usage
from benchmarks.records.samples import Outcome, Phase
from tests.benchmarks.trial_factory import rows, sample, trial


def test_the_knee_is_the_last_rate_that_the_contender_keeps_up_with() -> None:
    # 20 s at each rate; at 40/s every second task is refused, at 30/s tasks take a second longer.
    slow = rows(600, rate=30, trial=2, work=1.25)
    refused = rows(800, rate=40, trial=3, make=lambda n: {"outcome": Outcome.REFUSED} if n % 2 else {})
    quick = rows(200, rate=10)
    trials = [trial(quick, mode=Mode.SWEEP, rate=10.0), trial(slow, rate=30.0), trial(refused, rate=40.0)]
    result = sweep("one", trials, {1: quick, 2: slow, 3: refused}, bound=1.0)
    assert [point.rate for point in result.points] == [10, 30, 40]
    assert (result.knee, result.within_bound) == (10.0, 10.0)
    assert result.points[1].p99 == pytest.approx(1.302)
    assert result.points[2].not_done == pytest.approx(0.5)
    assert result.points[2].p99 == pytest.approx(0.302)  # of completed tasks
    later = sweep("one", trials, {1: quick, 2: slow, 3: refused}, bound=2.0)
    assert later.within_bound == 30.0


def test_without_a_completed_task_the_p99_is_infinite() -> None:
    samples = rows(50, make=lambda _: {"outcome": Outcome.REFUSED})
    result = sweep("one", [trial(samples)], {1: samples}, bound=1.0)
    assert result.points[0].p99 == math.inf
    assert (result.knee, result.within_bound) == (None, None)


def test_a_burst_is_timed_from_its_intended_time() -> None:
    samples = [sample(n, at=0.0, wait=0.1 * n, work=0.1, lag=0.0, latency=0.0) for n in range(100)]
    result = burst("one", [trial(samples, mode=Mode.BURST, rate=0.0)], {1: samples})
    assert (result.to_half, result.to_most, result.to_all) == pytest.approx((5.0, 9.5, 10.0))
    assert result.not_done == 0
    samples[7].outcome = Outcome.LOST
    lossy = burst("one", [trial(samples, mode=Mode.BURST, rate=0.0)], {1: samples})
    assert lossy.to_all is None
    assert lossy.to_half == pytest.approx(5.1)
    assert lossy.not_done == 1


def test_an_overload_has_goodput_refusals_and_recovery() -> None:
    before = [sample(n, at=0.1 * n, phase=Phase.WARM_UP) for n in range(20)]
    during = [
        sample(20 + n, at=2 + 0.01 * n, wait=2.0, outcome=Outcome.REFUSED if n % 4 else Outcome.COMPLETED)
        for n in range(1000)
    ]
    after = [sample(2000 + n, at=12 + 0.1 * n, phase=Phase.RECOVERY, wait=max(0.0, 2.0 - 0.1 * n)) for n in range(40)]
    samples = [*before, *during, *after]
    result = overload("one", [trial(samples, mode=Mode.OVERLOAD, rate=100.0)], {1: samples})
    assert result is not None
    assert result.refused == pytest.approx(0.75)
    # A quarter of 100/s completes, each after 2.25 s: those of the first 7.74 s finish within the 9.99 s.
    assert result.goodput == pytest.approx(194 / 9.99, rel=0.02)
    # 0.302 s before; twice that is reached when the wait is 0.3 s: 1.7 s after its end.
    assert result.recovery == pytest.approx(1.71, abs=0.02)
    assert result.lost == 0
    assert sum(count for _, count in result.completed) == 250 + 40 + 2  # includes the last two of the warm-up


def test_a_contender_that_does_not_recover_has_no_recovery_time() -> None:
    before = [sample(n, at=0.1 * n, phase=Phase.WARM_UP) for n in range(20)]
    during = [sample(20 + n, at=2 + 0.1 * n, wait=3.0) for n in range(50)]
    after = [sample(200 + n, at=7 + 0.1 * n, phase=Phase.RECOVERY, wait=3.0) for n in range(20)]
    result = overload("one", [trial([*before, *during, *after])], {1: [*before, *during, *after]})
    assert result is not None
    assert result.recovery is None


def test_memory_growth_per_task_is_reported_by_role() -> None:
    samples = rows(2000, rate=100)
    growing = tuple((float(second), 10_000_000 + 586 * 100 * second) for second in range(20))
    level = tuple((float(second), 5_000_000) for second in range(20))
    usage = (
        Usage(role="web server", cpu_seconds=1.0, peak_memory_bytes=0, memory=growing),
        Usage(role="worker", cpu_seconds=1.0, peak_memory_bytes=0, memory=level),
    )
    result = memory_growth("one", trial(samples, mode=Mode.SOAK, usage=usage), samples)
    assert result is not None
    assert result.bytes_per_task["web server"] == pytest.approx(586, rel=0.02)
    assert result.bytes_per_task["worker"] == pytest.approx(0, abs=1)


def test_the_stages_add_up_to_the_end_to_end_latency() -> None:
    samples = rows(50, make=lambda n: {"wait": -0.001 if n % 2 else 0.1})
    result = steady_rate("one", [trial(samples)], {1: samples}, Counter(), 0)
    assert all(value >= 0 for value in result.stages.values())
    whole = sum((row.notified or 0) - row.intended for row in samples) / 50
    assert sum(result.stages.values()) == pytest.approx(whole)
    assert result.stages[Measure.EXECUTION] == pytest.approx(0.25)


def test_the_deepest_queue_counts_accepted_tasks_that_have_not_started() -> None:
    assert max_queue_depth([sample(n, at=0.0, wait=1.0 if n < 7 else 0.0) for n in range(20)]) == 7
    assert max_queue_depth([]) == 0


def test_the_cost_of_a_task_is_its_share_of_the_usage_of_the_servers() -> None:
    samples = rows(100)
    usage = (Usage(role="web server", cpu_seconds=0.5, peak_memory_bytes=7),)
    result = steady_rate("one", [trial(samples, usage=usage)], {1: samples}, Counter(repeated=10), 0)
    assert result.usage[0].cpu_seconds_per_task == pytest.approx(0.005)
    assert result.requests_per_task == pytest.approx(2.1)
