"""The remaining time never grows, a log is never silent for long, and progress shows before slow imports."""

import io
import subprocess
import sys
from collections.abc import Callable

import pytest
from rich.console import Console

from benchmarks.report import progress
from benchmarks.report.progress import TimeLeft, watching
from tests.support.waiting import eventually

#: Slow imports that a run needs.
_SLOW = ("numpy", "plotly", "fastapi", "redis", "httpx", "locust", "celery")


class Clock:
    """A clock that is set by the test."""

    def __init__(self) -> None:
        self.now = 100.0

    def monotonic(self) -> float:
        """As `time.monotonic`."""
        return self.now


@pytest.mark.parametrize("pace", [lambda _: 0.3, lambda _: 1.0, lambda _: 2.5, lambda step: 3.0 if step % 2 else 0.5])
def test_the_remaining_time_never_grows_however_long_the_steps_take(
    pace: Callable[[int], float], monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = Clock()
    monkeypatch.setattr(progress, "time", clock)
    planned = [2.0, 9.0, 13.0, 9.0, 4.0]
    left = TimeLeft()
    left.plan(planned)
    seen, shares = [], []
    for step, seconds in enumerate(planned):
        left.at(step)
        for _ in range(20):
            clock.now += seconds * pace(step) / 20
            assert left.seconds is not None
            seen.append(left.seconds)
            shares.append(left.share)
    assert seen == sorted(seen, reverse=True)
    assert 0 < seen[-1] < seen[0] / 4
    assert all(0 <= share <= 1 for share in shares)
    assert shares == sorted(shares)


def test_without_a_plan_there_is_no_remaining_time() -> None:
    assert TimeLeft().seconds is None


def test_a_log_has_a_line_for_each_step_and_more_during_a_long_step(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "_SILENT_SECONDS", 0.01)
    log = io.StringIO()
    with watching(Console(file=log, width=40)) as steps:
        steps.at(0, "Starting")
        steps.plan([1.0, 60.0])
        steps.at(1, "1/6 webhook: steady, 28 tasks/s, whatever else there is to say")
        eventually(lambda: log.getvalue().count("still 1/6 webhook"), lambda count: count > 2)
    first, *others = log.getvalue().splitlines()
    assert first == "Starting"
    assert any(line.startswith("1/6 webhook: steady, 28 tasks/s, whatever") for line in others)
    assert all(line.endswith(" left") for line in others if "webhook" in line)


def test_nothing_is_printed_before_the_first_step_or_for_a_short_one() -> None:
    log = io.StringIO()
    with watching(Console(file=log)):
        pass
    with watching(Console(file=log), short=True) as steps:
        steps.at(0, "Making the report")
    assert log.getvalue() == ""


def test_a_terminal_shows_one_bar_that_disappears_at_the_end() -> None:
    log = io.StringIO()
    console = Console(file=log, force_terminal=True, width=80)
    with watching(console) as steps:
        steps.plan([1.0, 500.0])
        steps.at(1, "2/6 celery_queue: steady")
        eventually(log.getvalue, lambda text: "2/6 celery_queue: steady" in text and "about 8 min left" in text)
        steps.say("something to keep")
    assert "something to keep" in log.getvalue()
    assert log.getvalue().endswith("\x1b[2K")  # its line is cleared


def test_the_command_line_loads_without_slow_imports() -> None:
    look = f"import sys, benchmarks.commands; print([name for name in {_SLOW!r} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", look], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
