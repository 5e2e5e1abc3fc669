"""The final screen of `kit bench`: tables first, then warnings and recommendations, which a short terminal shows."""

from collections.abc import Sequence
from pathlib import Path

from rich.console import Console, RenderableType
from rich.text import Text as RichText

from benchmarks.analysis.findings import Findings, Steady
from benchmarks.analysis.measures import Measure
from benchmarks.records.run import Mode
from benchmarks.report.caveats import notices
from benchmarks.report.contents import day
from benchmarks.report.crash_losses import crash_table
from benchmarks.report.document import Cell, Rows, Table, Tone, capitalized, code
from benchmarks.report.formatting import NOTHING, decimal, duration, integer
from benchmarks.report.question_groups import groups
from benchmarks.report.recommendations import recommendations
from benchmarks.report.to_terminal import FittedTable, inline

#: Used on wider terminals too: longer lines are hard to read.
WIDTH = 80
#: The height with the five patterns; each further contender adds its rows.
LINES = 40
#: Reserved for warnings, for any number of contenders.
_WARNING_LINES = 5
#: What a terminal of 24 lines still shows above its prompt.
LAST_LINES = 20

_MEASURES = (Measure.SUBMIT_LATENCY, Measure.END_TO_END, Measure.NOTIFICATION_LAG)
_COLUMNS = ("contender", "submit", "end to end", "notify", "requests", "CPU time", "lost")


def print_summary(console: Console, findings: Findings, folder: Path, page: Path) -> None:
    """Print the summary of the run in `folder`. `page` is the HTML report."""
    console.width = min(WIDTH, console.width)
    tables = _tables(findings)
    last = _recommended(findings) + _files(folder, page)
    # The warnings precede `last` and fill what is left of the last lines and of the screen.
    above, below = (_total_height(console, parts) for parts in (tables, last))
    room = min(LAST_LINES - below, max(_WARNING_LINES, LINES - above - 1 - below))
    warnings = _warnings(console, notices(findings), room)
    if warnings and _total_height(console, warnings) < min(LAST_LINES - below, LINES - above - 1 - below):
        warnings.append("")
    for part in tables:
        console.print(part)
    console.print()
    for part in [*warnings, *last]:
        console.print(part, soft_wrap=isinstance(part, _Path))


def _tables(findings: Findings) -> list[RenderableType]:
    parts: list[RenderableType] = [RichText(_about(findings), style="bold")]
    steady = {each.contender: each for each in findings.steady}
    tried = {trial.contender for trial in findings.left_out if trial.mode is Mode.STEADY} | set(steady)
    nulls = {contender.name for contender in findings.contenders if contender.kind == "null"}
    for group in groups(findings):
        members = [name for name in group.names if name in tried and name not in nulls]
        if members:
            rows = Rows("", [_row(name, steady.get(name)) for name in members])
            table = Table(group.heading, _COLUMNS, [rows])
            parts += ["", inline(group.heading, "bold"), FittedTable(table, rows)]
    parts += [inline(_null(steady[name]), "dim") for name in nulls if name in steady]
    if crashes := crash_table(findings):
        parts += ["", inline(crashes.caption, "bold"), FittedTable(crashes, crashes.groups[0])]
    return parts


def _about(findings: Findings) -> str:
    rounds = max((steady.trials for steady in findings.steady), default=0)
    rate, cores = findings.record.settings.get("rate"), findings.record.host.get("cores")
    parts = [
        f"{integer(rounds)} {'round' if rounds == 1 else 'rounds'}" if rounds else "No valid trial at a steady rate",
        f"{decimal(float(rate))} tasks/s" if rounds and rate else "",
        f"{cores} cores" if cores else "",
        day(findings.record.began),
    ]
    medians = ". Medians; costs per task." if rounds else "."
    return ", ".join(filter(None, parts)) + medians


def _row(name: str, steady: Steady | None) -> list[Cell]:
    if steady is None:
        return [Cell(code(name)), *[Cell(NOTHING, Tone.QUIET)] * (len(_COLUMNS) - 2), Cell("left out", Tone.BAD)]
    # The load process is the client's side; the cost of a task is what the servers use.
    used = [role.cpu_seconds_per_task for role in steady.usage if role.role != "load process"]
    lost, requests = steady.tally.lost, steady.requests_per_task
    return [
        Cell(code(name)),
        *(Cell(_median(steady, measure)) for measure in _MEASURES),
        Cell(NOTHING if requests is None else f"{requests:.1f}"),
        Cell(duration(sum(used)) if used else NOTHING),
        Cell(integer(lost), Tone.BAD if lost else Tone.PLAIN),
    ]


def _median(steady: Steady, measure: Measure) -> str:
    return duration(steady.spreads[measure].p50.value if measure in steady.spreads else None)


def _null(steady: Steady) -> str:
    submit, end_to_end = (_median(steady, measure) for measure in (Measure.SUBMIT_LATENCY, Measure.END_TO_END))
    return f"Harness overhead ({code(steady.contender)}, no work): submit {submit}, end to end {end_to_end}."


def _recommended(findings: Findings) -> list[RenderableType]:
    parts: list[RenderableType] = []
    for recommendation in recommendations(findings):
        heading = RichText(f"{capitalized(recommendation.question.value)}: ", style="bold")
        parts += [RichText.assemble(heading, inline(recommendation.text)), ""]
    return parts


class _Path(RichText):
    """A line that is never wrapped, so that it can be copied."""


def _files(folder: Path, page: Path) -> list[RenderableType]:
    return [
        _Path(f"Report: {page}", style="bold"),
        _Path(f"In full, in the terminal: kit bench report {folder} --full", style="dim"),
    ]


def _warnings(console: Console, texts: Sequence[str], room: int) -> list[RenderableType]:
    """As many as there is room for; the report has all."""
    parts = [inline(f"! {text}", "bold red") for text in texts]
    heights = [_height(console, part) for part in parts]
    if sum(heights) <= room:
        return list(parts)
    shown, used = 0, 1
    while shown < len(parts) and used + heights[shown] <= room:
        used += heights[shown]
        shown += 1
    left = len(parts) - shown
    more = f"! {left} {'more ' if shown else ''}{'warning' if left == 1 else 'warnings'}: see the report."
    return [*parts[:shown], inline(more, "bold red")]


def _total_height(console: Console, parts: Sequence[RenderableType]) -> int:
    return sum(_height(console, part) for part in parts)


def _height(console: Console, part: RenderableType) -> int:
    """Lines at 80 columns: a narrower terminal shows the same words on more lines."""
    return 1 if isinstance(part, _Path) else len(console.render_lines(part, console.options.update(width=WIDTH)))
