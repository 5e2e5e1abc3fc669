"""What a run found, for people: two tables, because the patterns answer two questions.

`background_tasks`, `celery_queue` and `in_memory_queue` differ in where the work runs; `polling` and `webhook`
differ from `in_memory_queue` in how the client learns the outcome. To rank all five in one list would compare
answers to different questions.
"""

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import combinations

from rich.console import Console, Group, RenderableType
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from benchmarks.comparison import Files
from benchmarks.figures import Distribution, Figures
from benchmarks.plan import Plan
from patterns import IN_MEMORY_QUEUE, PATTERNS
from patterns.descriptor import Question

#: Above this p99 the load process was late itself, and what it measured is partly its own.
LATE_SECONDS = 0.05
_NARROW = 90
_NOTHING = "–"  # noqa: RUF001 the dash that means "no figure"


@dataclass(frozen=True)
class Column:
    """A heading, and what stands beneath it."""

    heading: str
    value: Callable[[Figures], str]


def milliseconds(seconds: float | None) -> str:
    """Seconds as milliseconds, to two digits or better."""
    if seconds is None:
        return _NOTHING
    value = 1000 * seconds
    return f"{value:.1f}" if abs(value) < 10 else f"{value:.0f}"


def _number(value: float | None) -> str:
    return _NOTHING if value is None else f"{value:.1f}"


def _at(measure: str, percentile: str) -> Callable[[Figures], str]:
    def value(figures: Figures) -> str:
        spread: Distribution | None = getattr(figures, measure)
        return milliseconds(getattr(spread, percentile) if spread else None)

    return value


COLUMNS = (
    Column("submit\np50", _at("submit_latency", "p50")),
    Column("\np95", _at("submit_latency", "p95")),
    Column("\np99", _at("submit_latency", "p99")),
    Column("end to end\np50", _at("end_to_end", "p50")),
    Column("\np95", _at("end_to_end", "p95")),
    Column("lag\np50", _at("notification_lag", "p50")),
    Column("tasks\nper s", lambda f: _number(f.tasks_per_second)),
    Column("requests\nper task", lambda f: _number(f.requests_per_task)),
    Column("lost\ntasks", lambda f: str(f.tally.lost)),
)

_TALLY = ("offered", "accepted", "completed", "failed", "lost", "refused", "errors", "dropped", "interrupted", "twice")

#: Where a median decides which pattern is better.
_COMPARED = (
    ("submit", "submit_latency"),
    ("end to end", "end_to_end"),
    ("notification lag", "notification_lag"),
)


def groups(found: Sequence[Figures]) -> list[tuple[Question, list[Figures]]]:
    """The figures by question. The baseline stands in both tables, as the first row of the second."""
    by_name = {figures.pattern: figures for figures in found}
    result = []
    for question in Question:
        members = [f for f in found if f.pattern in PATTERNS and PATTERNS[f.pattern].teaches is question]
        if question is Question.LEARNS_BY and members and IN_MEMORY_QUEUE.name in by_name:
            members.insert(0, by_name[IN_MEMORY_QUEUE.name])
        if members:
            result.append((question, members))
    return result


def tables(found: Sequence[Figures], width: int) -> RenderableType:
    """One table for each question that was measured, and one of what became of the tasks."""
    parts: list[RenderableType] = []
    for question, members in groups(found):
        parts += [
            Text(f"\nThey differ in {question.value} (times in ms)", style="bold"),
            _table(members, COLUMNS, width),
        ]
    if all(figures.tally.all_well for figures in found):
        count = found[0].tally.offered
        parts.append(Text(f"\nOf each pattern {count} tasks were offered; all were accepted, and completed once."))
    else:
        columns = [Column(name, lambda f, name=name: str(getattr(f.tally, name))) for name in _TALLY]  # type: ignore[misc]
        parts += [Text("\nWhat became of every task", style="bold"), _table(found, columns, width)]
    return Group(*parts)


def _table(rows: Iterable[Figures], columns: Sequence[Column], width: int) -> Table:
    gap = 1 if width < _NARROW else 2
    table = Table(box=None, pad_edge=False, header_style="dim", padding=(0, gap, 0, 0))
    table.add_column("\npattern", no_wrap=True)
    for column in columns:
        table.add_column(column.heading, justify="right", no_wrap=True)
    for figures in rows:
        table.add_row(figures.pattern, *(column.value(figures) for column in columns))
    return table


def how_to_read(found: Sequence[Figures], plan: Plan) -> list[str]:
    """What was offered, and how far the figures carry."""
    count = max(figures.tally.offered for figures in found)
    return [
        f"Offered: {plan.rate:g} tasks/s for {plan.duration:g} s{_rounds(plan)}, at the same chance moments and with "
        f"the same work for every pattern: {plan.work:g} s on average, for {plan.workers} workers, who are so "
        f"{plan.utilisation:.0%} busy. A fixed-poll client asks every {plan.poll_interval:g} s, and so learns of an "
        f"outcome in steps of that.",
        "Submit and end to end count from the moment at which a task was to be sent, so a stall is paid by all whom "
        "it delays. Lag is from finished to known. Tasks per s is what was finished while load was offered, not the "
        "most that could be. For webhook a request is the submit, and each callback.",
        f"With {count} tasks p95 is {_rank(count, 95)}, and p99 is {_rank(count, 99)}: one hiccup of the machine moves "
        f"it.",
        f"Two medians are a tie when their 95 % intervals overlap. Ties here: {ties(found)}.",
    ]


def warnings(found: Sequence[Figures], interrupted: bool) -> list[str]:
    """What makes the figures worth less than they look."""
    said = []
    if interrupted:
        said.append("Stopped before its end: these are the figures of what was measured so far.")
    for figures in found:
        late = figures.lateness
        if late and late.p99 > LATE_SECONDS:
            said.append(
                f"{figures.pattern}: the load process itself was late (p99 {milliseconds(late.p99)} ms), so its "
                f"latencies are partly its own. The machine was too busy: repeat it, or offer less."
            )
        if figures.tally.lost:
            said.append(
                f"{figures.pattern}: {figures.tally.lost} accepted tasks had no outcome within the deadline. Latencies "
                f"are those of the others."
            )
    return said


def print_report(
    console: Console, found: Sequence[Figures], plan: Plan, files: Files, where: Sequence[str], *, interrupted: bool
) -> None:
    """All of it."""
    console.print(tables(found, console.width))
    console.print()
    for line in how_to_read(found, plan):
        console.print(f"{escape(line)}\n")
    for line in warnings(found, interrupted):
        console.print(f"{escape(line)}\n", style="yellow")
    console.print(escape("; ".join(where)), style="dim")
    console.print(f"Every task is a row in {escape(str(files.samples))}", style="dim", soft_wrap=True)


def _rounds(plan: Plan) -> str:
    return "" if plan.rounds == 1 else f", {plan.rounds} times"


def _rank(count: int, percent: int) -> str:
    from_the_longest = count - math.ceil(percent * count / 100) + 1
    return "the longest" if from_the_longest == 1 else f"number {from_the_longest} from the longest"


def ties(found: Sequence[Figures]) -> str:
    """Which medians cannot be told apart, within each question."""
    said = []
    for _, members in groups(found):
        for name, measure in _COMPARED:
            pairs = [pair for pair in combinations(members, 2) if _tie(*(getattr(one, measure) for one in pair))]
            if len(members) > 2 and len(pairs) == math.comb(len(members), 2):
                said.append(f"{name} of {' = '.join(one.pattern for one in members)}")
            else:
                said += [f"{name} of {one.pattern} = {other.pattern}" for one, other in pairs]
    return "; ".join(said) or "none"


def _tie(one: Distribution | None, other: Distribution | None) -> bool:
    return one is not None and other is not None and one.ties_with(other)
