"""The load process, run against a server with known faults: it must report exactly these."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import pytest

from benchmarks.analysis.metrics import percentile, tally
from benchmarks.records.samples import Outcome, Sample
from patterns.serving.processes import ProcessFailed
from tests.benchmarks.fake_server import Behaviour, serving
from tests.benchmarks.load_runs import Loaded, load

T = TypeVar("T")


@dataclass(frozen=True)
class Spread:
    """The spread of one measure."""

    p50: float
    p99: float
    longest: float


def spread(loaded: Loaded, measure: str) -> Spread:
    """The spread of one measure of a load."""
    values = sorted(value for row in loaded.measured if (value := getattr(row, measure)) is not None)
    return Spread(percentile(values, 50), percentile(values, 99), values[-1])


def ids(rows: list[Sample], outcome: Outcome) -> set[str]:
    """The ids of the tasks with this outcome."""
    return {row.task_id for row in rows if row.outcome is outcome}


def side_by_side(run: Callable[[str], T], *patterns: str) -> list[T]:
    """Run several loads at once, because each spends a second on imports. Only for tests without tight timing."""
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
        assert {row.requests for row in loaded.rows} == {2}  # submit, and one poll, long-poll or callback
        assert spread(loaded, "execution").p50 == pytest.approx(0.25, abs=0.001)
        assert spread(loaded, "submit_latency").p50 < 0.2
        return loaded

    polled, held, called_back = side_by_side(measure, "in_memory_queue", "polling", "webhook")
    # Finished at 0.25 s, but not polled before 0.5 s.
    assert 0.2 < spread(polled, "notification_lag").p50 < 0.5
    assert 0.5 <= spread(polled, "end_to_end").p50 < 0.8
    for at_once in (held, called_back):
        assert 0 <= spread(at_once, "notification_lag").p50 < 0.2
        assert 0.25 <= spread(at_once, "end_to_end").p50 < 0.5


def test_a_stall_counts_for_every_task_that_was_due_in_it(tmp_path: Path) -> None:
    with serving(Behaviour(work=0.0, stall_at=0.5, stall_for=0.8)) as server:
        loaded = load(server, tmp_path, rate=40, duration=2, arrivals="constant")
    late = [row for row in loaded.measured if (row.submit_latency or 0) > 0.1]
    # The load continued: 28 tasks were due in the stall more than 0.1 s before its end.
    assert len(loaded.measured) == server.submits == 80
    assert len(late) >= 27
    assert spread(loaded, "submit_latency").longest > 0.7
    assert spread(loaded, "submit_latency").p99 > 0.7
    assert spread(loaded, "submit_latency").p50 < 0.1
    # The server was late, not the load process.
    assert spread(loaded, "lateness").p50 < 0.05


def test_exactly_the_tasks_that_a_server_loses_are_reported_as_lost(tmp_path: Path) -> None:
    def lose(pattern: str) -> None:
        with serving(Behaviour(pattern=pattern, forget_every=5, hang_every=7, fail_every=9)) as server:
            rows = load(server, tmp_path / pattern, rate=80, duration=0.5, deadline=2.0).measured
        assert len(rows) == 40
        assert len(server.lost) > 8
        assert ids(rows, Outcome.LOST) == server.lost
        assert ids(rows, Outcome.FAILED) == server.failed - server.lost
        assert ids(rows, Outcome.COMPLETED) == set(server.accepted) - server.lost - server.failed

    side_by_side(lose, "in_memory_queue", "polling", "webhook")


def test_a_503_counts_as_refused_and_any_other_response_as_an_error(tmp_path: Path) -> None:
    with serving(Behaviour(refuse_after=10, break_every=5)) as server:
        loaded = load(server, tmp_path, rate=40, duration=0.5)
    counted = tally(loaded.measured, 0)
    assert (counted.offered, counted.accepted, counted.refused, counted.errors) == (20, 8, 10, 2)
    assert {row.http_status for row in loaded.rows if row.outcome is Outcome.ERROR} == {500}


def test_tasks_that_cannot_be_sent_in_time_are_dropped_and_counted(tmp_path: Path) -> None:
    with serving(Behaviour(work=0.6)) as server:
        loaded = load(server, tmp_path, rate=40, duration=0.5, max_in_flight=4, arrivals="constant")
    counted = tally(loaded.measured, 0)
    assert counted.offered == 20
    assert counted.dropped == 20 - server.submits
    assert 8 <= counted.dropped <= 16
    assert counted.completed == counted.accepted == server.submits


def test_a_repeated_and_a_forged_callback_are_detected(tmp_path: Path) -> None:
    with serving(Behaviour(pattern="webhook", repeat_every=3, forge_every=4)) as server:
        # The last of the thirteen is delivered once: the load process waits for outcomes, not for repeats.
        loaded = load(server, tmp_path, rate=26, duration=0.5, arrivals="constant")
    assert loaded.callbacks == {"taken": 13, "repeated": 4, "refused": 3}


@pytest.mark.thorough
def test_an_unhealthy_server_gets_no_load_and_the_log_says_why(tmp_path: Path) -> None:
    with serving(Behaviour(healthy=False)) as server, pytest.raises(ProcessFailed, match="exit code 1: GET /health"):
        load(server, tmp_path, rate=20, duration=1)
    assert server.submits == 0


@pytest.mark.thorough
@pytest.mark.parametrize("pattern", ["in_memory_queue", "webhook"])
def test_several_processes_send_the_same_tasks_and_write_all_rows_to_one_file(tmp_path: Path, pattern: str) -> None:
    with serving(Behaviour(pattern=pattern, work=0.1, forget_every=9)) as server:
        loaded = load(server, tmp_path, processes=2, rate=60, warm_up=0.5, duration=1, deadline=2.0)
    assert sorted(row.number for row in loaded.rows) == list(range(90))
    assert {row.task_id for row in loaded.rows} == set(server.accepted)
    assert ids(loaded.rows, Outcome.LOST) == server.lost
    assert loaded.report is not None
    assert loaded.report.tasks == 90
    offsets = [row.intended for row in sorted(loaded.rows, key=lambda row: row.number)]
    assert offsets == sorted(offsets)  # the same clock and start time


def test_the_counts_of_the_load_process_agree_with_its_rows(tmp_path: Path) -> None:
    with serving(Behaviour(work=0.2, hang_every=7)) as server:
        loaded = load(server, tmp_path, rate=40, duration=1, deadline=2.0)
    assert loaded.report is not None
    assert loaded.report.tasks == 40
    seconds = sum((row.ended or 0) - (row.sent or 0) for row in loaded.rows)
    assert loaded.report.task_seconds == pytest.approx(seconds, rel=0.02)
