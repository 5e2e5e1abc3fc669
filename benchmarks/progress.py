"""Shows where a run is: a bar in a terminal, plain lines anywhere else. On standard error, always."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn

from benchmarks.comparison import Moment, Watch
from benchmarks.plan import Plan

#: Beside the load itself: servers start, Locust starts, and all of it stops. A first guess; trials correct it.
_START_AND_STOP_SECONDS = 4.0
_REFRESHES_PER_SECOND = 4


class Estimate:
    """How long a run still takes, from how long its trials took."""

    def __init__(self, trials: int, plan: Plan) -> None:
        self._trials = trials
        self._guess = plan.load_seconds + _START_AND_STOP_SECONDS
        self._begin = self._trial_begin = time.monotonic()
        self._trial = 1

    def at(self, trial: int) -> None:
        """Note that this trial is under way."""
        if trial != self._trial:
            self._trial, self._trial_begin = trial, time.monotonic()
            self._guess = (self._trial_begin - self._begin) / (trial - 1)

    @property
    def share(self) -> float:
        """How much of the run is done, from 0 to 1."""
        done = self._trial - 1 + min(0.99, (time.monotonic() - self._trial_begin) / self._guess)
        return done / self._trials

    @property
    def seconds_left(self) -> float:
        """Until the end."""
        return (1 - self.share) * self._trials * self._guess


@contextmanager
def watching(console: Console, trials: int, plan: Plan) -> Iterator[Watch]:
    """Give what a run tells its moments to, for as long as the block lasts."""
    estimate = Estimate(trials, plan)
    if console.is_terminal:
        with _Bar(console, estimate) as bar:
            task = bar.add_task("", total=1.0)

            def show(moment: Moment) -> None:
                estimate.at(moment.trial)
                bar.update(task, description=f"{moment.trial}/{moment.of} [bold]{moment.pattern}[/]: {moment.doing}")

            yield show
    else:

        def tell(moment: Moment) -> None:
            estimate.at(moment.trial)
            where, left = f"{moment.trial}/{moment.of} {moment.pattern}", f"about {estimate.seconds_left:.0f} s left"
            console.print(f"{where}: {moment.doing}, {left}", soft_wrap=True)

        yield tell


class _Bar(Progress):
    """Moves with time, because a trial's length is known and its tasks say little about it."""

    def __init__(self, console: Console, estimate: Estimate) -> None:
        self._estimate = estimate
        super().__init__(
            TextColumn("{task.description}"),
            BarColumn(bar_width=24),
            TaskProgressColumn(),
            TextColumn("about {task.fields[left]} s left"),
            console=console,
            transient=True,
            refresh_per_second=_REFRESHES_PER_SECOND,
        )

    def get_renderables(self):  # type: ignore[no-untyped-def]  # as the base class has it
        for task in self.tasks:
            task.completed = self._estimate.share
            task.fields["left"] = f"{self._estimate.seconds_left:.0f}"
        yield from super().get_renderables()
