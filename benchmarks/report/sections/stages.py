"""Where the time of a task goes: its stages, the percentiles of each, and which differences are real."""

from collections.abc import Sequence
from itertools import combinations

from benchmarks.analysis.findings import Difference, Findings, Steady
from benchmarks.analysis.measures import MEASURE_TITLES, Measure
from benchmarks.records.run import Mode
from benchmarks.report.document import Block, Cell, Plot, Plots, Rows, Section, Table, Text, Tone, capitalized, code
from benchmarks.report.formatting import duration, estimate, integer, per_second
from benchmarks.report.modes import missing
from benchmarks.report.plots import STAGE_COLOURS, bar_height, bar_layout, bars
from benchmarks.report.question_groups import Group, grouped, groups, rows
from benchmarks.report.ranking import TOO_CLOSE

_STAGES = (Measure.SUBMIT_LATENCY, Measure.QUEUE_WAIT, Measure.EXECUTION, Measure.NOTIFICATION_LAG)
_ADDED = tuple(stage for stage in _STAGES if stage is not Measure.EXECUTION)
_COLOURS = dict(zip(_STAGES, STAGE_COLOURS, strict=True))
#: What each measure spans.
SPANS = {
    Measure.SUBMIT_LATENCY: "from the intended send time to the 202",
    Measure.QUEUE_WAIT: "from accepted to started",
    Measure.EXECUTION: "from started to finished",
    Measure.NOTIFICATION_LAG: "from finished until the client knows the outcome",
    Measure.END_TO_END: "from the intended send time until the client knows the outcome",
}
#: The measures that a client notices; the others are folded.
_SHOWN = (Measure.SUBMIT_LATENCY, Measure.NOTIFICATION_LAG, Measure.END_TO_END)
_ORDER = (*_SHOWN, Measure.QUEUE_WAIT, Measure.EXECUTION)


def stages(findings: Findings) -> Section:
    """All latencies at the steady rate."""
    title = "Where the time goes"
    if not findings.steady:
        return Section("time", title, [Text(missing(findings, Mode.STEADY))])
    blocks: list[Block] = [
        Text(
            "Mean time per stage. The agent's work (execute) is the same for every contender; submit, wait and notify "
            "are what a pattern adds."
        ),
        *_plots(findings),
        *_tally(findings),
    ]
    blocks += [_spread(findings, measure) for measure in _ORDER if any(measure in s.spreads for s in findings.steady)]
    if findings.differences:
        blocks += [
            Text(
                "Which differences are real: the median of the first contender minus that of the second, over tasks "
                "sent at the same moments. It is a tie if the interval includes zero, or if there are too few tasks."
            ),
            *_differences(findings),
        ]
    return Section("time", title, blocks)


def _plots(findings: Findings) -> list[Block]:
    views = (("All stages", _STAGES), ("Without the agent's work", _ADDED))
    limits = [_limits(findings, parts) for _, parts in views]
    return [
        Plots(
            group.heading,
            [_plot(title, group, members, parts, limit) for (title, parts), limit in zip(views, limits, strict=True)],
            [_means(group, members)],
            "The second plot leaves out the agent's work. All groups share the same axes.",
        )
        for group, members in grouped(findings, findings.steady)
    ]


def _limits(findings: Findings, parts: Sequence[Measure]) -> tuple[float, float]:
    """The common range of the bars of all groups, so that their lengths can be compared."""
    all_parts = [[steady.stages.get(part, 0.0) for part in parts] for steady in findings.steady]
    least = min(sum(min(0.0, length) for length in lengths) for lengths in all_parts)
    return least, max(sum(max(0.0, length) for length in lengths) for lengths in all_parts) or 0.001


def _plot(
    title: str, group: Group, members: list[Steady], parts: Sequence[Measure], limits: tuple[float, float]
) -> Plot:
    values = {MEASURE_TITLES[part]: [1000 * steady.stages.get(part, 0.0) for steady in members] for part in parts}
    in_words = "; ".join(
        f"{steady.contender}: "
        + ", ".join(f"{MEASURE_TITLES[part]} {duration(steady.stages.get(part))}" for part in parts)
        for steady in members
    )
    return Plot(
        title=title,
        alternative=f"{group.heading}. Stacked bars of the mean time of each stage. {in_words}.",
        data=bars([steady.contender for steady in members], values, [_COLOURS[part] for part in parts], " ms"),
        layout=bar_layout("mean per task, ms", 1000 * limits[1], 1000 * limits[0]),
        height=bar_height(len(members)),
    )


def _means(group: Group, members: list[Steady]) -> Table:
    def row(steady: Steady) -> list[Cell]:
        parts = [steady.stages.get(stage) for stage in _STAGES]
        known = [part for part in parts if part is not None]
        return [
            Cell(code(steady.contender)),
            *(Cell(duration(part)) for part in (*parts, sum(known) if known else None)),
        ]

    columns = ("contender", *(MEASURE_TITLES[stage] for stage in _STAGES), "sum")
    return Table("Mean time of each stage", columns, [Rows(group.heading, [row(steady) for steady in members])])


def _tally(findings: Findings) -> list[Block]:
    def row(steady: Steady) -> list[Cell]:
        t = steady.tally
        bad = [
            (t.failed, "failed"), (t.lost, "lost"), (t.refused, "refused"), (t.errors, "errors"),
            (t.dropped, "dropped"), (t.interrupted, "interrupted"), (t.twice, "twice"),
        ]  # fmt: skip
        wrong = ", ".join(f"{integer(count)} {name}" for count, name in bad if count)
        return [
            Cell(code(steady.contender)),
            *(Cell(integer(count)) for count in (steady.trials, t.offered, t.accepted, t.completed)),
            Cell(wrong or "none", Tone.BAD if wrong else Tone.GOOD),
            Cell(per_second(steady.tasks_per_second)),
            Cell(integer(steady.deepest_queue)),
        ]

    table = Table(
        "Task outcomes",
        ("contender", "trials", "offered", "accepted", "completed", "failures", "throughput", "deepest queue"),
        rows(findings, findings.steady, row),
        frozenset({0, 5}),
        folded=all(steady.tally.all_well for steady in findings.steady),
    )
    # One sentence replaces a table in which every row is the same.
    return [*([Text("Every task was accepted and completed exactly once.")] if table.folded else []), table]


def _spread(findings: Findings, measure: Measure) -> Table:
    def row(steady: Steady) -> list[Cell]:
        spread = steady.spreads.get(measure)
        if spread is None:
            return [Cell(code(steady.contender)), *(Cell(duration(None), Tone.QUIET) for _ in range(5))]
        numbers = (estimate(spread.p50), estimate(spread.p95), estimate(spread.p99), duration(spread.longest))
        return [Cell(code(steady.contender)), *(Cell(text) for text in numbers), Cell(integer(spread.count))]

    return Table(
        f"{capitalized(MEASURE_TITLES[measure])}: {SPANS[measure]}",
        ("contender", "p50", "p95", "p99", "max", "tasks"),
        rows(findings, findings.steady, row),
        folded=measure not in _SHOWN,
    )


def _differences(findings: Findings) -> list[Table]:
    tables = []
    for measure in _ORDER:
        pairs = [Rows(group.heading, _pairs(findings, group, measure)) for group in groups(findings)]
        if any(group.rows for group in pairs):
            tables.append(
                Table(
                    f"Differences of medians: {MEASURE_TITLES[measure]}",
                    ("first", "second", "first minus second", "verdict"),
                    [group for group in pairs if group.rows],
                    frozenset({0, 1, 3}),
                    folded=True,
                )
            )
    return tables


def _pairs(findings: Findings, group: Group, measure: Measure) -> list[list[Cell]]:
    differences = [findings.difference(measure, first, second) for first, second in combinations(group.names, 2)]
    return [
        [
            Cell(code(difference.first)),
            Cell(code(difference.second)),
            Cell(estimate(difference.seconds)),
            _meaning(difference),
        ]
        for difference in differences
        if difference
    ]


def _meaning(difference: Difference) -> Cell:
    if not difference.one_round and (difference.seconds.low is None or difference.seconds.high is None):
        return Cell("tie: too few tasks to tell", Tone.QUIET)
    if difference.tie:
        return Cell(TOO_CLOSE if difference.one_round else "tie", Tone.QUIET)
    return Cell(f"{code(difference.first if difference.seconds.value < 0 else difference.second)} is faster")
