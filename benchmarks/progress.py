"""Shows where a run is: a bar in a terminal, plain lines anywhere else. On standard error, always."""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn

from benchmarks.comparison import Moment, Watch

_REFRESHES_PER_SECOND = 4


class Estimate:
    """How long a run still takes: what was planned for each visit, corrected by how long those before really took."""

    def __init__(self, planned: Sequence[float]) -> None:
        self._planned = planned
        self._begin = self._visit_begin = time.monotonic()
        self._visit = 1
        self._pace = 1.0

    def at(self, visit: int) -> None:
        """Note that this visit is under way, counted from 1."""
        if visit != self._visit:
            self._visit, self._visit_begin = visit, time.monotonic()
            self._pace = (self._visit_begin - self._begin) / sum(self._planned[: visit - 1])

    @property
    def seconds_left(self) -> float:
        """Until the end."""
        this = self._pace * self._planned[self._visit - 1]
        rest = self._pace * sum(self._planned[self._visit :])
        return rest + max(0.01 * this, this - (time.monotonic() - self._visit_begin))

    @property
    def share(self) -> float:
        """How much of the run is done, from 0 to 1."""
        whole = self._pace * sum(self._planned)
        return max(0.0, 1 - self.seconds_left / whole)


@contextmanager
def watching(console: Console, planned: Sequence[float]) -> Iterator[Watch]:
    """Give what a run tells its moments to, for as long as the block lasts. `planned` is the seconds of each visit."""
    estimate, of = Estimate(planned), len(planned)
    if console.is_terminal:
        with _Bar(console, estimate) as bar:
            task = bar.add_task("", total=1.0)

            def show(moment: Moment) -> None:
                estimate.at(moment.visit)
                bar.update(task, description=f"{moment.visit}/{of} [bold]{moment.contender}[/]: {moment.doing}")

            yield show
    else:

        def tell(moment: Moment) -> None:
            estimate.at(moment.visit)
            where = f"{moment.visit}/{of} {moment.contender}"
            console.print(f"{where}: {moment.doing}, {told(estimate.seconds_left)} left", soft_wrap=True)

        yield tell


def told(seconds: float) -> str:
    """About how long that is."""
    return f"about {seconds:.0f} s" if seconds < 120 else f"about {seconds / 60:.0f} min"


class _Bar(Progress):
    """Moves with time, because a visit's length is known and its tasks say little about it."""

    def __init__(self, console: Console, estimate: Estimate) -> None:
        self._estimate = estimate
        super().__init__(
            TextColumn("{task.description}"),
            BarColumn(bar_width=20),
            TaskProgressColumn(),
            TextColumn("{task.fields[left]} left"),
            console=console,
            transient=True,
            refresh_per_second=_REFRESHES_PER_SECOND,
        )

    def get_renderables(self):  # type: ignore[no-untyped-def]  # as the base class has it
        for task in self.tasks:
            task.completed = self._estimate.share
            task.fields["left"] = told(self._estimate.seconds_left)
        yield from super().get_renderables()
