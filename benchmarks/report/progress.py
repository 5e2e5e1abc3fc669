"""Shows the progress of a run on standard error: a bar in a terminal, plain lines elsewhere."""

import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Protocol

from rich.console import Console
from rich.progress import BarColumn, Progress, ProgressColumn, Task, TextColumn
from rich.table import Column
from rich.text import Text

_REFRESHES_PER_SECOND = 4
#: Without a terminal, a line is printed at least this often.
_SILENT_SECONDS = 1.8
#: After this much planned time, the measured pace weighs as much as the plan.
_TRUSTED_SECONDS = 20.0


class TimeLeft:
    """The remaining time of a run: the planned seconds of each step, corrected by the pace so far. It never grows."""

    def __init__(self) -> None:
        self._planned: Sequence[float] = ()
        self._step = 0
        self._begin = self._step_begin = time.monotonic()
        self._pace = 1.0
        self._least = float("inf")

    def plan(self, seconds: Sequence[float]) -> None:
        """Set the planned seconds of each step; the first begins now."""
        self._planned = seconds
        self._begin = self._step_begin = time.monotonic()

    def at(self, step: int) -> None:
        """Note that this step, counted from 0, has begun."""
        if step != self._step:
            self._step, self._step_begin = step, time.monotonic()
            done, took = sum(self._planned[:step]), self._step_begin - self._begin
            self._pace = (took + _TRUSTED_SECONDS) / (done + _TRUSTED_SECONDS)

    @property
    def seconds(self) -> float | None:
        """Seconds until the end; None without a plan."""
        if not self._planned:
            return None
        this = self._pace * self._planned[self._step]
        rest = self._pace * sum(self._planned[self._step + 1 :])
        left = rest + max(0.02 * this, this - (time.monotonic() - self._step_begin))
        self._least = min(self._least, left)
        return self._least

    @property
    def share(self) -> float:
        """The completed share of the run, from 0 to 1."""
        if (left := self.seconds) is None:
            return 0.0
        spent = time.monotonic() - self._begin
        return spent / (spent + left) if spent else 0.0


class Steps(Protocol):
    """Where a run reports its progress."""

    def plan(self, seconds: Sequence[float]) -> None:
        """Set the estimated seconds of each step; the first begins now."""

    def at(self, step: int, doing: str) -> None:
        """Report the current step, counted from 0, and what it does."""

    def say(self, line: str) -> None:
        """Print a line that stays."""


@contextmanager
def watching(console: Console, *, short: bool = False) -> Iterator[Steps]:
    """Show the steps of a run while the block lasts. With `short`, print a line only if a step takes long."""
    with _Bar(console) if console.is_terminal else _Lines(console, short) as steps:
        yield steps


def time_left_in_words(seconds: float | None) -> str:
    """Such as `about 40 s left`."""
    if seconds is None:
        return ""
    if seconds < 2:
        return "almost done"
    return f"about {seconds:.0f} s left" if seconds < 120 else f"about {seconds / 60:.0f} min left"


class _Bar:
    """A progress bar that moves with time, because the steps have planned lengths."""

    def __init__(self, console: Console) -> None:
        self._left = TimeLeft()
        self._progress = Progress(
            TextColumn("{task.description}", table_column=Column(ratio=1, no_wrap=True, overflow="ellipsis")),
            BarColumn(bar_width=16),
            _Left(self._left),
            console=console,
            transient=True,
            expand=True,
            refresh_per_second=_REFRESHES_PER_SECOND,
        )
        self._task = self._progress.add_task("Starting", total=1.0)

    def __enter__(self) -> "_Bar":
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def plan(self, seconds: Sequence[float]) -> None:
        self._left.plan(seconds)

    def at(self, step: int, doing: str) -> None:
        self._left.at(step)
        self._progress.update(self._task, description=doing)

    def say(self, line: str) -> None:
        self._progress.console.print(line, markup=False, soft_wrap=True)


class _Left(ProgressColumn):
    """The remaining time; rendering it also moves the bar."""

    def __init__(self, left: TimeLeft) -> None:
        super().__init__(Column(no_wrap=True, justify="right", min_width=16))
        self._left = left

    def render(self, task: Task) -> Text:
        task.completed = self._left.share
        return Text(time_left_in_words(self._left.seconds))


class _Lines:
    """A line for each step, and more while a step lasts."""

    def __init__(self, console: Console, short: bool) -> None:
        self._console = console
        self._short = short
        self._left = TimeLeft()
        self._doing = ""
        self._printed = threading.Event()  # a line was printed, or the run is over
        self._over = False
        self._thread = threading.Thread(target=self._go_on, name="progress", daemon=True)

    def __enter__(self) -> "_Lines":
        return self

    def __exit__(self, *_: object) -> None:
        self._over = True
        self._printed.set()
        if self._thread.ident is not None:
            self._thread.join()

    def plan(self, seconds: Sequence[float]) -> None:
        self._left.plan(seconds)

    def at(self, step: int, doing: str) -> None:
        self._left.at(step)
        self._doing = doing
        if not self._short:
            self._print(doing)
        # Started with the first line, so that a wrong option prints its error and nothing else.
        if self._thread.ident is None:
            self._thread.start()

    def say(self, line: str) -> None:
        self._console.print(line, markup=False, soft_wrap=True)
        self._printed.set()

    def _print(self, doing: str) -> None:
        left = time_left_in_words(self._left.seconds)
        self.say(f"{doing}, {left}" if left else doing)

    def _go_on(self) -> None:
        while not self._over:
            if self._printed.wait(_SILENT_SECONDS):
                self._printed.clear()
            else:
                self._print(f"still {self._doing[:1].lower()}{self._doing[1:]}")
                self._printed.clear()
