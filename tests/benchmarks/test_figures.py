"""The arithmetic, against figures that anyone can work out by hand."""

import math
import random
from collections import Counter

import pytest

from benchmarks.figures import distribution, figures, median_interval, percentile, tasks_per_second
from benchmarks.samples import Outcome, Phase, Sample


def sample(number: int, *, latency: float = 0.01, work: float = 1.0, lag: float = 0.5, at: float = 100.0) -> Sample:
    """A completed task that was accepted `latency` after its moment."""
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
def test_of_one_to_a_hundred_each_percentile_is_its_own_number(percent: float, expected: int) -> None:
    assert percentile(range(1, 101), percent) == expected


@pytest.mark.parametrize(("count", "expected"), [(1, 1), (2, 2), (19, 19), (20, 19), (21, 20), (40, 38)])
def test_p95_is_the_smallest_value_that_95_percent_do_not_exceed(count: int, expected: int) -> None:
    values = range(1, count + 1)
    found = percentile(values, 95)
    assert found == expected
    assert sum(value <= found for value in values) / count >= 0.95
    assert sum(value <= found - 1 for value in values) / count < 0.95


def test_a_percentile_is_always_a_value_that_was_measured() -> None:
    values = sorted(random.Random(1).expovariate(1) for _ in range(137))
    assert all(percentile(values, percent) in values for percent in range(1, 101))


def test_one_value_is_all_its_percentiles_and_has_no_interval() -> None:
    found = distribution([0.25])
    assert found is not None
    assert (found.count, found.p50, found.p95, found.p99, found.longest) == (1, 0.25, 0.25, 0.25, 0.25)
    assert found.interval is None


def test_equal_values_have_an_interval_without_width() -> None:
    found = distribution([0.25] * 50)
    assert found is not None
    assert found.interval == (0.25, 0.25)


def test_nothing_has_no_distribution_and_no_percentile() -> None:
    assert distribution([]) is None
    assert distribution([None, None]) is None
    with pytest.raises(ValueError, match="nothing"):
        percentile([], 50)


@pytest.mark.parametrize("percent", [0, -1, 101, math.nan])
def test_what_is_no_percentage_is_refused(percent: float) -> None:
    with pytest.raises(ValueError, match="above 0 and at most 100"):
        percentile([1.0], percent)


@pytest.mark.parametrize(
    ("count", "ranks"),
    # From the tables of the sign test at 95 %.
    [(5, None), (6, (1, 6)), (9, (2, 8)), (10, (2, 9)), (20, (6, 15)), (50, (18, 33)), (100, (40, 61))],
)
def test_the_interval_of_the_median_is_that_of_the_tables(count: int, ranks: tuple[int, int] | None) -> None:
    assert median_interval(range(1, count + 1)) == ranks


def test_the_interval_has_the_true_median_in_it_as_often_as_it_says() -> None:
    chance, hits = random.Random(7), 0
    for _ in range(1000):
        interval = median_interval(sorted(chance.expovariate(1) for _ in range(30)))
        assert interval is not None
        hits += interval[0] <= math.log(2) <= interval[1]
    assert hits >= 940


def test_the_interval_of_many_values_is_found_at_once() -> None:
    interval = median_interval(range(20_000))
    assert interval is not None
    assert interval[0] < 10_000 < interval[1]


def test_medians_whose_intervals_overlap_are_a_tie_and_others_are_not() -> None:
    chance = random.Random(3)
    near, same, far = (distribution(mean + chance.uniform(-0.1, 0.1) for _ in range(100)) for mean in (1.0, 1.001, 2.0))
    assert near is not None
    assert same is not None
    assert far is not None
    assert near.ties_with(same)
    assert same.ties_with(near)
    assert not near.ties_with(far)


def test_too_few_values_are_always_a_tie() -> None:
    one, other = distribution([1.0]), distribution([2.0] * 100)
    assert one is not None
    assert other is not None
    assert one.ties_with(other)


def test_each_measure_is_between_the_moments_that_its_name_says() -> None:
    found = figures("fake", [sample(number, latency=0.02, work=2.0, lag=0.25) for number in range(3)])
    medians = [
        spread.p50 if spread else None
        for spread in (
            found.submit_latency,
            found.queue_wait,
            found.execution,
            found.notification_lag,
            found.end_to_end,
            found.lateness,
        )
    ]
    assert medians == pytest.approx([0.02, 0.0, 2.0, 0.25, 2.27, 0.0])
    assert found.requests_per_task == 3.0


def test_the_warm_up_is_in_no_figure() -> None:
    warm = sample(0, latency=9.0)
    warm.phase = Phase.WARM_UP
    found = figures("fake", [warm, sample(1), sample(2)])
    assert found.tally.offered == 2
    assert found.submit_latency is not None
    assert found.submit_latency.longest < 1


def test_another_pattern_is_in_no_figure() -> None:
    other = sample(0, latency=9.0)
    other.pattern = "other"
    assert figures("fake", [other, sample(1)]).tally.offered == 1


def test_every_outcome_is_counted_where_it_belongs() -> None:
    rows = []
    for number, outcome in enumerate(Outcome):
        row = sample(number)
        row.outcome = outcome
        if outcome in {Outcome.REFUSED, Outcome.ERROR, Outcome.DROPPED}:
            row.accepted = row.started = row.finished = row.notified = None
            row.task_id = ""
        rows.append(row)
    tally = figures("fake", rows).tally
    assert (tally.offered, tally.accepted) == (7, 4)
    one_each = (tally.completed, tally.failed, tally.lost, tally.refused, tally.errors, tally.dropped)
    assert (*one_each, tally.interrupted) == (1,) * 7
    assert not tally.all_well


def test_a_task_id_given_out_twice_is_counted_because_it_may_hide_a_loss() -> None:
    one, again = sample(1), sample(2)
    again.task_id = one.task_id
    assert figures("fake", [one, again]).tally.twice == 1


def test_a_callback_that_came_twice_is_counted_and_is_a_request_more() -> None:
    found = figures("fake", [sample(1), sample(2)], Counter(taken=2, repeated=1))
    assert found.tally.twice == 1
    assert found.requests_per_task == pytest.approx(3.5)
    assert not found.tally.all_well


def test_tasks_per_second_are_those_that_finished_while_load_was_offered() -> None:
    # One each second from 0 to 10, each done after 2.01 s: those of 0 to 7 are done within the 10 seconds.
    rows = [sample(second, latency=0.01, work=2.0, at=float(second)) for second in range(11)]
    assert tasks_per_second(rows) == pytest.approx(0.8)


def test_tasks_per_second_are_not_made_up_from_a_single_task() -> None:
    assert tasks_per_second([sample(0)]) is None
    assert tasks_per_second([]) is None


def test_the_pause_between_two_trials_slows_nothing_down() -> None:
    rows = [sample(second, work=0.1, at=float(second)) for second in range(11)]
    later = [sample(second, work=0.1, at=1000.0 + second) for second in range(11)]
    for row in later:
        row.trial = 2
    assert tasks_per_second(rows + later) == tasks_per_second(rows)


def test_no_row_at_all_gives_figures_that_say_so() -> None:
    found = figures("fake", [])
    assert found.tally.offered == 0
    assert found.submit_latency is None
    assert found.requests_per_task is None
