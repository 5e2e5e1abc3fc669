"""The metrics, checked against values computed by hand."""

import math
import random

import pytest

from benchmarks.analysis.metrics import percentile, tally, tasks_per_second
from benchmarks.records.samples import Outcome, Phase, Sample


def sample(number: int, *, latency: float = 0.01, work: float = 1.0, lag: float = 0.5, at: float = 100.0) -> Sample:
    """A completed task that was accepted `latency` seconds after its intended time."""
    accepted = at + latency
    return Sample(
        pattern="fake",
        trial=1,
        number=number,
        phase=Phase.MEASURED,
        intended=at,
        sent=at,
        accepted=accepted,
        started=accepted,
        finished=accepted + work,
        notified=accepted + work + lag,
        task_id=f"task-{number}",
        outcome=Outcome.COMPLETED,
        status="completed",
        http_status=202,
        requests=3,
    )


@pytest.mark.parametrize(("percent", "expected"), [(50, 50), (95, 95), (99, 99), (100, 100), (0.5, 1)])
def test_the_percentiles_of_1_to_100_are_the_numbers_themselves(percent: float, expected: int) -> None:
    assert percentile(range(1, 101), percent) == expected


@pytest.mark.parametrize(("count", "expected"), [(1, 1), (2, 2), (19, 19), (20, 19), (21, 20), (40, 38)])
def test_p95_is_the_smallest_value_that_95_percent_do_not_exceed(count: int, expected: int) -> None:
    values = range(1, count + 1)
    p95 = percentile(values, 95)
    assert p95 == expected
    assert sum(value <= p95 for value in values) / count >= 0.95
    assert sum(value <= p95 - 1 for value in values) / count < 0.95


def test_a_percentile_is_always_a_measured_value() -> None:
    values = sorted(random.Random(1).expovariate(1) for _ in range(137))
    assert all(percentile(values, percent) in values for percent in range(1, 101))


def test_an_empty_list_has_no_percentile() -> None:
    with pytest.raises(ValueError, match="no values"):
        percentile([], 50)


@pytest.mark.parametrize("percent", [0, -1, 101, math.nan])
def test_an_invalid_percentage_is_refused(percent: float) -> None:
    with pytest.raises(ValueError, match="above 0 and at most 100"):
        percentile([1.0], percent)


def test_every_outcome_has_its_own_count() -> None:
    rows = []
    for number, outcome in enumerate(Outcome):
        row = sample(number)
        row.outcome = outcome
        if outcome in {Outcome.REFUSED, Outcome.ERROR, Outcome.DROPPED}:
            row.accepted = row.started = row.finished = row.notified = None
            row.task_id = ""
        rows.append(row)
    counted = tally(rows, 0)
    assert (counted.offered, counted.accepted) == (7, 4)
    one_each = (counted.completed, counted.failed, counted.lost, counted.refused, counted.errors, counted.dropped)
    assert (*one_each, counted.interrupted) == (1,) * 7
    assert not counted.all_well


def test_a_duplicate_task_id_is_counted_because_it_may_hide_a_loss() -> None:
    first, again = sample(1), sample(2)
    again.task_id = first.task_id
    assert tally([first, again], 0).twice == 1


def test_a_repeated_callback_is_counted() -> None:
    assert tally([sample(1), sample(2)], 1).twice == 1
    assert not tally([sample(1), sample(2)], 1).all_well


def test_tasks_per_second_count_those_that_finish_while_load_is_offered() -> None:
    # One task each second from 0 to 10, each taking 2.01 s: those of 0 to 7 finish within the 10 seconds.
    rows = [sample(second, latency=0.01, work=2.0, at=float(second)) for second in range(11)]
    assert tasks_per_second(rows) == pytest.approx(0.8)


def test_a_single_task_gives_no_tasks_per_second() -> None:
    assert tasks_per_second([sample(0)]) is None
    assert tasks_per_second([]) is None


def test_the_pause_between_two_trials_does_not_count() -> None:
    rows = [sample(second, work=0.1, at=float(second)) for second in range(11)]
    later = [sample(second, work=0.1, at=1000.0 + second) for second in range(11)]
    for row in later:
        row.trial = 2
    assert tasks_per_second(rows + later) == tasks_per_second(rows)
