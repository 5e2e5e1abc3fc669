"""When tasks are sent, and to which behaviour: decided before the first answer."""

from itertools import pairwise
from statistics import mean, stdev
from types import SimpleNamespace
from typing import Any

import pytest

from benchmarks.load.process.arrivals import Arrival, Segment, Shape, schedule
from benchmarks.load.process.served_pattern import CannotLoad, served_pattern
from benchmarks.records.samples import Phase
from patterns import PATTERNS
from patterns.contract.descriptor import LearnsBy


def arrivals_of(rate: float, warm_up: float, duration: float, seed: int, shape: Shape) -> list[Arrival]:
    """A warm-up, and what is measured."""
    segments = [Segment.at(Phase.WARM_UP, warm_up, rate), Segment.at(Phase.MEASURED, duration, rate)]
    return schedule(segments, seed, shape)


def test_a_burst_comes_at_once_and_the_recovery_after_the_overload() -> None:
    segments = [Segment.at(Phase.WARM_UP, 1.0, 4), Segment(Phase.MEASURED, 0.0, 50), Segment.at(Phase.RECOVERY, 2.0, 4)]
    arrivals = schedule(segments, 0, Shape.POISSON)
    assert [arrival.offset for arrival in arrivals[4:54]] == [1.0] * 50
    assert [arrival.phase for arrival in arrivals[54:]] == [Phase.RECOVERY] * 8
    assert all(1.0 <= arrival.offset <= 3.0 for arrival in arrivals[54:])


@pytest.mark.parametrize("shape", Shape)
def test_each_phase_has_exactly_the_tasks_that_its_rate_asks_for_in_order(shape: Shape) -> None:
    arrivals = arrivals_of(24, 1.0, 4.0, 0, shape)
    assert [arrival.number for arrival in arrivals] == list(range(120))
    assert [arrival.phase for arrival in arrivals] == [Phase.WARM_UP] * 24 + [Phase.MEASURED] * 96
    assert all(earlier.offset <= later.offset for earlier, later in pairwise(arrivals))
    assert all(0 <= arrival.offset < 1 for arrival in arrivals[:24])
    assert all(1 <= arrival.offset <= 5 for arrival in arrivals[24:])


def test_the_same_seed_gives_the_same_moments_and_another_gives_others() -> None:
    assert arrivals_of(24, 1.0, 4.0, 5, Shape.POISSON) == arrivals_of(24, 1.0, 4.0, 5, Shape.POISSON)
    assert arrivals_of(24, 1.0, 4.0, 5, Shape.POISSON) != arrivals_of(24, 1.0, 4.0, 6, Shape.POISSON)


def test_poisson_arrivals_come_in_clumps_and_constant_ones_do_not() -> None:
    def spread(shape: Shape) -> float:
        offsets = [arrival.offset for arrival in arrivals_of(100, 0, 50, 1, shape)]
        gaps = [later - earlier for earlier, later in pairwise(offsets)]
        return stdev(gaps) / mean(gaps)

    assert spread(Shape.POISSON) == pytest.approx(1.0, abs=0.1)  # as an exponential's: as wide as it is long
    assert spread(Shape.CONSTANT) < 0.01


@pytest.mark.parametrize("name", PATTERNS)
def test_a_server_that_says_its_pattern_gets_that_pattern_s_client(name: str) -> None:
    served = served_pattern(answer(200, {"status": "ok", "pattern": name}))
    assert (served.pattern, served.learns_by) == (name, PATTERNS[name].learns_by)


def test_a_contender_that_the_kit_does_not_know_is_polled() -> None:
    served = served_pattern(answer(200, {"status": "ok", "pattern": "a_contender"}))
    assert (served.pattern, served.learns_by) == ("a_contender", LearnsBy.FIXED_POLL)


@pytest.mark.parametrize(("status", "body"), [(503, {}), (0, None), (200, []), (404, {"pattern": "polling"})])
def test_what_is_not_a_healthy_server_is_not_loaded(status: int, body: Any) -> None:
    with pytest.raises(CannotLoad, match="kit serve"):
        served_pattern(answer(status, body))


def test_what_a_sick_server_says_of_itself_is_told() -> None:
    with pytest.raises(CannotLoad, match="503: No worker runs"):
        served_pattern(answer(503, {"status": "unhealthy", "detail": "No worker runs."}))


def test_an_answer_that_is_no_json_is_not_a_healthy_server() -> None:
    def no_json() -> Any:
        raise ValueError("<html>")

    with pytest.raises(CannotLoad, match="kit serve"):
        served_pattern(SimpleNamespace(status_code=200, json=no_json))


def answer(status: int, body: Any) -> Any:
    """As Locust gives it."""
    return SimpleNamespace(status_code=status, json=lambda: body)


def test_whoever_has_served_it_knows_better_what_it_is_called_and_how_its_client_learns() -> None:
    served = served_pattern(answer(200, {"status": "ok", "pattern": "webhook"}), "mine", "ADAPTIVE_POLL")
    assert (served.pattern, served.learns_by) == ("mine", LearnsBy.ADAPTIVE_POLL)
