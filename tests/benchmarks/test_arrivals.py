"""The schedule of arrivals and the choice of the client behaviour, both fixed before the first response."""

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
    """The arrivals of a warm-up and a measured phase."""
    segments = [Segment.at(Phase.WARM_UP, warm_up, rate), Segment.at(Phase.MEASURED, duration, rate)]
    return schedule(segments, seed, shape)


def test_a_burst_arrives_at_once_and_the_recovery_follows_the_overload() -> None:
    segments = [Segment.at(Phase.WARM_UP, 1.0, 4), Segment(Phase.MEASURED, 0.0, 50), Segment.at(Phase.RECOVERY, 2.0, 4)]
    arrivals = schedule(segments, 0, Shape.POISSON)
    assert [arrival.offset for arrival in arrivals[4:54]] == [1.0] * 50
    assert [arrival.phase for arrival in arrivals[54:]] == [Phase.RECOVERY] * 8
    assert all(1.0 <= arrival.offset <= 3.0 for arrival in arrivals[54:])


@pytest.mark.parametrize("shape", Shape)
def test_each_phase_has_exactly_the_number_of_tasks_of_its_rate_in_order(shape: Shape) -> None:
    arrivals = arrivals_of(24, 1.0, 4.0, 0, shape)
    assert [arrival.number for arrival in arrivals] == list(range(120))
    assert [arrival.phase for arrival in arrivals] == [Phase.WARM_UP] * 24 + [Phase.MEASURED] * 96
    assert all(earlier.offset <= later.offset for earlier, later in pairwise(arrivals))
    assert all(0 <= arrival.offset < 1 for arrival in arrivals[:24])
    assert all(1 <= arrival.offset <= 5 for arrival in arrivals[24:])


def test_the_same_seed_gives_the_same_arrivals_and_another_seed_others() -> None:
    assert arrivals_of(24, 1.0, 4.0, 5, Shape.POISSON) == arrivals_of(24, 1.0, 4.0, 5, Shape.POISSON)
    assert arrivals_of(24, 1.0, 4.0, 5, Shape.POISSON) != arrivals_of(24, 1.0, 4.0, 6, Shape.POISSON)


def test_poisson_arrivals_are_clustered_and_constant_ones_are_not() -> None:
    def spread(shape: Shape) -> float:
        offsets = [arrival.offset for arrival in arrivals_of(100, 0, 50, 1, shape)]
        gaps = [later - earlier for earlier, later in pairwise(offsets)]
        return stdev(gaps) / mean(gaps)

    assert spread(Shape.POISSON) == pytest.approx(
        1.0, abs=0.1
    )  # an exponential distribution: its deviation equals its mean
    assert spread(Shape.CONSTANT) < 0.01


@pytest.mark.parametrize("name", PATTERNS)
def test_a_server_that_names_its_pattern_gets_the_client_of_that_pattern(name: str) -> None:
    served = served_pattern(answer(200, {"status": "ok", "pattern": name}))
    assert (served.pattern, served.learns_by) == (name, PATTERNS[name].learns_by)


def test_an_unknown_contender_is_polled() -> None:
    served = served_pattern(answer(200, {"status": "ok", "pattern": "a_contender"}))
    assert (served.pattern, served.learns_by) == ("a_contender", LearnsBy.FIXED_POLL)


@pytest.mark.parametrize(("status", "body"), [(503, {}), (0, None), (200, []), (404, {"pattern": "polling"})])
def test_an_unhealthy_server_gets_no_load(status: int, body: Any) -> None:
    with pytest.raises(CannotLoad, match="kit serve"):
        served_pattern(answer(status, body))


def test_the_detail_of_an_unhealthy_server_is_reported() -> None:
    with pytest.raises(CannotLoad, match="503: No worker runs"):
        served_pattern(answer(503, {"status": "unhealthy", "detail": "No worker runs."}))


def test_a_response_that_is_not_json_is_not_a_healthy_server() -> None:
    def no_json() -> Any:
        raise ValueError("<html>")

    with pytest.raises(CannotLoad, match="kit serve"):
        served_pattern(SimpleNamespace(status_code=200, json=no_json))


def answer(status: int, body: Any) -> Any:
    """A response as Locust returns it."""
    return SimpleNamespace(status_code=status, json=lambda: body)


def test_the_options_override_the_name_and_the_client_of_the_served_pattern() -> None:
    served = served_pattern(answer(200, {"status": "ok", "pattern": "webhook"}), "mine", "ADAPTIVE_POLL")
    assert (served.pattern, served.learns_by) == ("mine", LearnsBy.ADAPTIVE_POLL)
