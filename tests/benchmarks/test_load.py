"""The load process itself: it must see what is there, and no more, so it meets a server whose faults are known."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

import pytest

from benchmarks.figures import Distribution, figures
from benchmarks.samples import Outcome, Sample
from patterns.processes import ProcessFailed
from tests.benchmarks.fake_server import Behaviour, serving
from tests.benchmarks.loading import Loaded, load

T = TypeVar("T")


def spread(loaded: Loaded, measure: str) -> Distribution:
    """One measure of what was loaded."""
    found = getattr(figures(loaded.rows[0].pattern, loaded.rows, loaded.callbacks), measure)
    assert isinstance(found, Distribution)
    return found


def ids(rows: list[Sample], outcome: Outcome) -> set[str]:
    """The ids of the tasks that met this outcome."""
    return {row.task_id for row in rows if row.outcome is outcome}


def side_by_side(run: Callable[[str], T], *patterns: str) -> list[T]:
    """Several loads at once, where a few milliseconds more or less prove nothing: each spends a second on imports."""
    with ThreadPoolExecutor(len(patterns)) as threads:
        return list(threads.map(run, patterns))


def test_a_known_delay_is_measured_by_each_behaviour(tmp_path: Path) -> None:
    def measure(pattern: str) -> Loaded:
        with serving(Behaviour(pattern=pattern, work=0.25)) as server:
            loaded = load(server, tmp_path / pattern, rate=20, duration=0.75, warm_up=0.25, poll_interval=0.5)
        assert len(loaded.rows) == 20
        assert len(loaded.measured) == 15
        assert {row.outcome for row in loaded.rows} == {Outcome.COMPLETED}
        assert {row.task_id for row in loaded.rows} == set(server.accepted)
        assert {row.requests for row in loaded.rows} == {2}  # the submit, and a poll, a held answer, or a callback
        assert spread(loaded, "execution").p50 == pytest.approx(0.25, abs=0.001)
        assert spread(loaded, "submit_latency").p50 < 0.2
        return loaded

    polled, held, told = side_by_side(measure, "in_memory_queue", "polling", "webhook")
    # Finished at 0.25 s, and not asked for before 0.5 s.
    assert 0.2 < spread(polled, "notification_lag").p50 < 0.5
    assert 0.5 <= spread(polled, "end_to_end").p50 < 0.8
    for at_once in (held, told):
        assert 0 <= spread(at_once, "notification_lag").p50 < 0.2
        assert 0.25 <= spread(at_once, "end_to_end").p50 < 0.5


def test_a_stall_is_paid_by_every_task_whose_moment_was_in_it(tmp_path: Path) -> None:
    with serving(Behaviour(work=0.0, stall_at=0.5, stall_for=0.8)) as server:
        loaded = load(server, tmp_path, rate=40, duration=2, arrivals="constant")
    late = [row for row in loaded.measured if (row.submit_latency or 0) > 0.1]
    # The load went on: 28 moments were in the part of the stall that was more than 0.1 s from its end.
    assert len(loaded.measured) == server.submits == 80
    assert len(late) >= 27
    assert spread(loaded, "submit_latency").longest > 0.7
    assert spread(loaded, "submit_latency").p99 > 0.7
    assert spread(loaded, "submit_latency").p50 < 0.1
    # It was the server that was late, not the load process.
    assert spread(loaded, "lateness").p50 < 0.05


def test_exactly_the_tasks_that_a_server_loses_are_reported_as_lost(tmp_path: Path) -> None:
    def lose(pattern: str) -> None:
        with serving(Behaviour(pattern=pattern, forget_every=5, hang_every=7, fail_every=9)) as server:
            rows = load(server, tmp_path / pattern, rate=80, duration=0.5, deadline=1.0).measured
        assert len(rows) == 40
        assert len(server.lost) > 8
        assert ids(rows, Outcome.LOST) == server.lost
        assert ids(rows, Outcome.FAILED) == server.failed - server.lost
        assert ids(rows, Outcome.COMPLETED) == set(server.accepted) - server.lost - server.failed

    side_by_side(lose, "in_memory_queue", "polling", "webhook")


def test_a_503_is_refused_and_any_other_answer_is_an_error(tmp_path: Path) -> None:
    with serving(Behaviour(refuse_after=10, break_every=5)) as server:
        loaded = load(server, tmp_path, rate=40, duration=0.5)
    tally = figures("in_memory_queue", loaded.rows).tally
    assert (tally.offered, tally.accepted, tally.refused, tally.errors) == (20, 8, 10, 2)
    assert {row.http_status for row in loaded.rows if row.outcome is Outcome.ERROR} == {500}


def test_what_cannot_be_sent_in_time_is_dropped_and_counted(tmp_path: Path) -> None:
    with serving(Behaviour(work=0.6)) as server:
        loaded = load(server, tmp_path, rate=40, duration=0.5, max_in_flight=4, arrivals="constant")
    tally = figures("in_memory_queue", loaded.rows).tally
    assert tally.offered == 20
    assert tally.dropped == 20 - server.submits
    assert 8 <= tally.dropped <= 16
    assert tally.completed == tally.accepted == server.submits


def test_a_callback_that_comes_twice_and_one_that_is_forged_are_noticed(tmp_path: Path) -> None:
    with serving(Behaviour(pattern="webhook", repeat_every=3, forge_every=4)) as server:
        loaded = load(server, tmp_path, rate=24, duration=0.5)
    # The last ones may be told after the load process has ended: it waits for outcomes, not for repeats.
    assert loaded.callbacks["taken"] == 12
    assert loaded.callbacks["repeated"] in {3, 4}
    assert loaded.callbacks["refused"] in {2, 3}
    assert figures("webhook", loaded.rows, loaded.callbacks).tally.twice == loaded.callbacks["repeated"]


def test_a_server_that_is_not_healthy_is_not_loaded_and_the_log_says_why(tmp_path: Path) -> None:
    with serving(Behaviour(healthy=False)) as server, pytest.raises(ProcessFailed, match="exit code 1: GET /health"):
        load(server, tmp_path, rate=20, duration=1)
    assert server.submits == 0
