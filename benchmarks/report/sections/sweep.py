"""How p99 grows with the offered load: one small plot for each contender, all with the same axes."""

import math

from benchmarks.analysis.findings import Findings, Sweep, SweepPoint
from benchmarks.records.run import Mode
from benchmarks.report.document import Cell, Plot, Plots, Rows, Section, Table, Text, Tone, code, plain_cells
from benchmarks.report.formatting import duration, per_second, percent
from benchmarks.report.modes import missing
from benchmarks.report.plots import axis, line
from benchmarks.report.question_groups import grouped, rows

_HEIGHT = 210
#: Below this many decades, ticks are at 1, 2 and 5: the range may hold no power of ten.
_FEW_DECADES = 2.0


def sweep(findings: Findings) -> Section:
    """The bound and the knee of each contender."""
    title = "Latency as the load grows"
    if not findings.sweep:
        return Section("sweep", title, [Text(missing(findings, Mode.SWEEP))])
    ranges = _ranges(findings)
    plots = [
        Plots(
            group.heading,
            [_plot(sweep, group.heading, ranges) for sweep in members],
            [_points(members)],
            "All plots share the same axes. Dashed: the bound. Dotted: the knee.",
            small=True,
        )
        for group, members in grouped(findings, findings.sweep)
    ]
    return Section(
        "sweep",
        title,
        [
            Text(
                "End-to-end p99 at rising offered load. The knee is the highest rate up to which throughput stayed at "
                "95 % of the offered load or more; the bound is the limit for p99."
            ),
            _summary(findings),
            *plots,
        ],
    )


def _summary(findings: Findings) -> Table:
    def row(sweep: Sweep) -> list[Cell]:
        return [Cell(code(sweep.contender)), _rate(sweep.knee), _rate(sweep.within_bound), Cell(duration(sweep.bound))]

    columns = ("contender", "knee", "within bound up to", "bound")
    return Table("Knee and bound", columns, rows(findings, findings.sweep, row))


def _rate(value: float | None) -> Cell:
    return Cell("at no rate", Tone.BAD) if value is None else Cell(per_second(value))


def _points(members: list[Sweep]) -> Table:
    return Table(
        "At each rate",
        ("offered", "throughput", "p99", "submit p99", "not completed"),
        [Rows(code(sweep.contender), [_point(point) for point in sweep.points]) for sweep in members],
        frozenset(),
        folded=True,
    )


def _point(point: SweepPoint) -> list[Cell]:
    times = plain_cells(
        per_second(point.rate), per_second(point.achieved), duration(point.p99), duration(point.submit_p99)
    )
    return [*times, Cell(percent(point.not_done), Tone.BAD if point.not_done else Tone.PLAIN)]


def _ranges(findings: Findings) -> tuple[float, float, float]:
    """The highest rate, and the range of every p99 and the bound, as exponents of ten."""
    points = [point for sweep in findings.sweep for point in sweep.points]
    heights = [
        value
        for value in (*(p.p99 for p in points), *(sweep.bound for sweep in findings.sweep))
        if 0 < value < math.inf
    ]
    if not heights:
        return 1.0, -1.0, 1.0
    low, high = math.log10(min(heights)), math.log10(max(heights))
    margin = max(0.1, 0.08 * (high - low))
    return max((p.rate for p in points), default=1.0), low - margin, high + margin


def _plot(sweep: Sweep, heading: str, ranges: tuple[float, float, float]) -> Plot:
    rate, low, high = ranges
    most = 1.05 * rate
    data = [
        line("bound", [0, most], [sweep.bound, sweep.bound], "--bad", dash="dash", marks=False),
        line("p99", [p.rate for p in sweep.points], [p.p99 for p in sweep.points], "--execute"),
    ]
    if sweep.knee is not None:
        data.insert(1, line("knee", [sweep.knee, sweep.knee], [10**low, 10**high], "--quiet", dash="dot", marks=False))
    knee = "at no rate" if sweep.knee is None else per_second(sweep.knee)
    in_words = ", ".join(f"{duration(p.p99)} at {per_second(p.rate)}" for p in sweep.points)
    return Plot(
        title=sweep.contender,
        alternative=f"{heading}. {sweep.contender}: p99 {in_words}; bound {duration(sweep.bound)}; knee {knee}.",
        data=data,
        layout={
            "xaxis": axis("offered per second", high=most),
            "yaxis": {**axis("p99, s", low=low, high=high, log=True), **_ticks(low, high)},
        },
        height=_HEIGHT,
    )


def _ticks(low: float, high: float) -> dict[str, object]:
    return {"tickmode": "linear", "dtick": "D2" if high - low < _FEW_DECADES else 1, "tickformat": "~g"}
