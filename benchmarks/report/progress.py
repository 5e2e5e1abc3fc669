"""Shows where a run is, from its first second to the last: a bar in a terminal, plain lines anywhere else. On standard
error, always."""

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
#: Where nothing moves by itself, there is a line at least so often.
_SILENT_SECONDS = 1.8
#: How much of what was planned must have passed until what was measured counts as much as the plan.
_TRUSTED_SECONDS = 20.0


class TimeLeft:
    """How long a run still takes: what was planned for each step, corrected by how long those before really took.

    It never grows: what was said to be left is not taken back.
    """

    def __init__(self) -> None:
        self._planned: Sequence[float] = ()
        self._step = 0
        self._begin = self._step_begin = time.monotonic()
        self._pace = 1.0
        self._least = float("inf")

    def plan(self, seconds: Sequence[float]) -> None:
        """The seconds of each step; the first begins now."""
        self._planned = seconds
        self._begin = self._step_begin = time.monotonic()

    def at(self, step: int) -> None:
        """Note that this step is under way, counted from 0."""
        if step != self._step:
            self._step, self._step_begin = step, time.monotonic()
            done, took = sum(self._planned[:step]), self._step_begin - self._begin
            self._pace = (took + _TRUSTED_SECONDS) / (done + _TRUSTED_SECONDS)

    @property
    def seconds(self) -> float | None:
        """Until the end; None as long as nothing is planned."""
        if not self._planned:
            return None
        this = self._pace * self._planned[self._step]
        rest = self._pace * sum(self._planned[self._step + 1 :])
        left = rest + max(0.02 * this, this - (time.monotonic() - self._step_begin))
        self._least = min(self._least, left)
        return self._least

    @property
    def share(self) -> float:
        """How much of the run is done, from 0 to 1."""
        if (left := self.seconds) is None:
            return 0.0
        spent = time.monotonic() - self._begin
        return spent / (spent + left) if spent else 0.0


class Steps(Protocol):
    """Where a run reports its progress."""

    def plan(self, seconds: Sequence[float]) -> None:
        """How long each step will take, about; the first has begun."""

    def at(self, step: int, doing: str) -> None:
        """Which step is under way, counted from 0, and what is done in it."""

    def say(self, line: str) -> None:
        """Something that is worth a line that stays."""


@contextmanager
def watching(console: Console, *, short: bool = False) -> Iterator[Steps]:
    """Show the steps of a run for as long as the block lasts. What is `short` is worth a line only if it
    takes longer than it should."""
    with _Bar(console) if console.is_terminal else _Lines(console, short) as steps:
        yield steps


def time_left_in_words(seconds: float | None) -> str:
    """About how long that is."""
    if seconds is None:
        return ""
    if seconds < 2:
        return "almost done"
    return f"about {seconds:.0f} s left" if seconds < 120 else f"about {seconds / 60:.0f} min left"


class _Bar:
    """Moves with time, because a step's length is known and its tasks say little about it."""

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
    """The time left; it also moves the bar, since it is drawn each time."""

    def __init__(self, left: TimeLeft) -> None:
        super().__init__(Column(no_wrap=True, justify="right", min_width=16))
        self._left = left

    def render(self, task: Task) -> Text:
        task.completed = self._left.share
        return Text(time_left_in_words(self._left.seconds))


class _Lines:
    """A line for each step, and one whenever a step takes longer."""

    def __init__(self, console: Console, short: bool) -> None:
        self._console = console
        self._short = short
        self._left = TimeLeft()
        self._doing = ""
        self._said = threading.Event()  # a line was printed, or the run is over
        self._over = False
        self._thread = threading.Thread(target=self._go_on, name="progress", daemon=True)

    def __enter__(self) -> "_Lines":
        return self

    def __exit__(self, *_: object) -> None:
        self._over = True
        self._said.set()
        if self._thread.ident is not None:
            self._thread.join()

    def plan(self, seconds: Sequence[float]) -> None:
        self._left.plan(seconds)

    def at(self, step: int, doing: str) -> None:
        self._left.at(step)
        self._doing = doing
        if not self._short:
            self._print(doing)
        # Not before the first line: wrong options are answered by their error, and nothing else.
        if self._thread.ident is None:
            self._thread.start()

    def say(self, line: str) -> None:
        self._console.print(line, markup=False, soft_wrap=True)
        self._said.set()

    def _print(self, doing: str) -> None:
        left = time_left_in_words(self._left.seconds)
        self.say(f"{doing}, {left}" if left else doing)

    def _go_on(self) -> None:
        while not self._over:
            if self._said.wait(_SILENT_SECONDS):
                self._said.clear()
            else:
                self._print(f"still {self._doing[:1].lower()}{self._doing[1:]}")
                self._said.clear()
