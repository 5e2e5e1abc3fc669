"""A trial in which the load process did not work correctly is invalid, whatever the cause."""

from typing import Any

import pytest

from benchmarks.analysis.analyse_run import analyse_samples
from benchmarks.analysis.measures import Measure
from benchmarks.analysis.validity import invalid_reasons
from benchmarks.records.run import Mode
from benchmarks.records.samples import Outcome, Sample
from tests.benchmarks.trial_factory import honest, record, rows, sample, trial


def test_an_honest_trial_is_valid() -> None:
    samples = rows(100)
    assert invalid_reasons(trial(samples), samples) == ()


def test_a_trial_in_which_the_server_stalls_loses_and_refuses_is_valid() -> None:
    def bad_server(number: int) -> dict[str, Any]:
        return {"outcome": (Outcome.COMPLETED, Outcome.LOST, Outcome.REFUSED)[number % 3], "latency": 0.8}

    samples = rows(100, make=bad_server)
    assert invalid_reasons(trial(samples), samples) == ()


@pytest.mark.parametrize(
    ("load", "words"),
    [
        ({"busiest_cpu_share": 0.97}, "used 97% of a core"),
        ({"clock_step_seconds": -0.5}, "the clock was stepped by -500.0 ms"),
        ({"tasks": 98}, "sent 98 tasks but wrote 100 rows"),
        (
            {"task_seconds": 45.0},
            "Little's law does not hold: 45.00 task-seconds were counted",
        ),
    ],
)
def test_the_report_of_the_load_process_can_invalidate_a_trial(load: dict[str, Any], words: str) -> None:
    samples = rows(100)
    (reason,) = invalid_reasons(trial(samples, load=honest(samples, **load)), samples)
    assert words in reason


def test_a_load_process_that_sends_late_is_reported() -> None:
    samples = rows(100, make=lambda number: {"latency": 0.3} if 40 <= number < 45 else {})
    for row in samples[40:45]:
        row.sent = row.intended + 0.2
    (reason,) = invalid_reasons(trial(samples), samples)
    assert reason == "the load process sent late: p99 200 ms"


def test_dropped_tasks_are_reported() -> None:
    samples = rows(100, make=lambda number: {"outcome": Outcome.DROPPED} if number < 2 else {})
    (reason,) = invalid_reasons(trial(samples), samples)
    assert reason.startswith("only 98 of 100 tasks were sent (2 dropped)")
    one_dropped = rows(100, make=lambda number: {"outcome": Outcome.DROPPED} if number < 1 else {})
    assert invalid_reasons(trial(one_dropped), one_dropped) == ()


def test_a_rate_that_was_not_held_is_reported() -> None:
    samples = rows(100)
    for row in samples:  # never later than the limit, but later from task to task
        row.sent = row.intended + 0.0045 * row.number
    assert any("the rate was not held within 1 %" in reason for reason in invalid_reasons(trial(samples), samples))


def test_moments_out_of_order_are_reported() -> None:
    samples = rows(100, make=lambda number: {"work": -0.1} if number < 5 else {})
    assert invalid_reasons(trial(samples), samples) == ("the moments of 5 tasks are out of order: the clocks differ",)


def test_an_interrupted_trial_is_reported() -> None:
    samples = rows(100)
    assert invalid_reasons(trial(samples, load=None), samples) == ("it was interrupted",)
    assert invalid_reasons(trial(samples, failure="the server died"), samples) == ("the server died",)


def test_an_invalid_trial_is_excluded_from_all_metrics_and_listed() -> None:
    good, bad = rows(50), rows(50, trial=2, latency=0.5)
    trials = [trial(good), trial(bad, round=2, load=honest(bad, busiest_cpu_share=1.0))]
    findings = analyse_samples(record(trials), [*good, *bad], {})
    (only,) = findings.steady
    assert only.trials == 1
    assert only.tally.offered == 50
    assert only.spreads[Measure.SUBMIT_LATENCY].longest < 0.01
    (left_out,) = findings.left_out
    assert (left_out.trial, left_out.reasons) == (2, ("the load process used 100% of a core",))


def _burst(each_later: float, number: int = 1) -> list[Sample]:
    return [sample(n, trial=number, work=2.4, late=each_later * n) for n in range(100)]


def test_the_lateness_of_a_burst_is_judged_by_its_duration() -> None:
    samples = _burst(0.0008)  # 79 ms for the last task: no sender can send all at once
    assert invalid_reasons(trial(samples, mode=Mode.BURST, rate=0.0), samples) == ()


def test_a_sender_that_stretches_a_burst_is_reported() -> None:
    samples = _burst(0.003)
    (reason,) = invalid_reasons(trial(samples, mode=Mode.BURST, rate=0.0), samples)
    assert reason == "the load process was still sending 294 ms into a burst of 2749 ms"


def test_the_lateness_of_a_burst_does_not_count_for_the_load_process() -> None:
    samples = rows(50)
    burst = _burst(0.0008, number=2)
    trials = [trial(samples), trial(burst, round=2, mode=Mode.BURST, rate=0.0)]
    findings = analyse_samples(record(trials), [*samples, *burst], {})
    assert findings.left_out == ()
    assert findings.instrument[0].lateness_p99 == 0.0
    assert findings.burst[0].answer_p99 < 0.01  # from sent to accepted, without the time until the sender's turn
