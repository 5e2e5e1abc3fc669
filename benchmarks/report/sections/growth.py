"""What growth costs: more kept records, more waiting tasks, more open long-polls."""

import math
from collections.abc import Sequence

from benchmarks.analysis.growth_findings import FLAT, GrowthFindings, GrowthLine, GrowthVerdict
from benchmarks.analysis.measures import Estimate
from benchmarks.records.growth import Action, Axis
from benchmarks.report.document import Block, Cell, Plot, Plots, Rows, Section, Table, Text, Tone, code, plain_cells
from benchmarks.report.formatting import EN_DASH, MINUS, duration, integer, size
from benchmarks.report.plots import axis as plot_axis
from benchmarks.report.plots import line as plot_line
from benchmarks.report.sections.growth_soak import soaks

_HEADINGS = {
    Axis.RECORDS: "Kept records",
    Axis.WAITING: "Waiting tasks",
    Axis.LONG_POLLS: "Open long-polls",
}
_TONES = {GrowthVerdict.FLAT: Tone.GOOD, GrowthVerdict.GROWS: Tone.BAD, GrowthVerdict.UNCLEAR: Tone.QUIET}
_DRAWN = {Action.SUBMIT: ("--submit", "dot"), Action.STATUS: ("--execute", "solid")}
#: Points per fitted line: a line over the size is a curve on a logarithmic axis.
_STEPS = 24
_HEIGHT = 210
_ABOUT = (
    "Two servers of each pattern run side by side. One stays small, the other grows; both get the same requests in "
    "turn, so a slow moment of the machine affects both. `flat`: the grown server took at most 10 % longer. `grows`: "
    "even the low end of its 95 % interval, in brackets, is above that. `unclear`: it took longer, but that may be "
    "chance. The change of the median is the median of the ratios within pairs of requests."
)
_FILLED = (
    "Kept records were not created by requests, which would take a quarter of an hour for a million. In memory, the "
    "server wrote them with the store calls that a task makes; in Redis, they are copies of a real record. Waiting "
    "tasks and long-polls were all created over HTTP."
)


def growth(findings: GrowthFindings) -> Section:
    """Latency, memory, expiry, and what many tasks leave behind."""
    blocks: list[Block] = []
    if findings.lines:
        blocks += [
            Text(_ABOUT),
            _latencies(findings),
            *_plots(findings),
            _slopes(findings),
            _memory(findings),
            Text(_FILLED),
        ]
    if findings.expiries:
        blocks += _expiry(findings)
    return Section("growth", "What growth costs", [*blocks, *soaks(findings)])


def _latencies(findings: GrowthFindings) -> Table:
    groups = []
    for axis in Axis:
        medians, tails = findings.of(axis, 50), findings.of(axis, 99)
        rows = [_latency(median, tail) for median, tail in zip(medians, tails, strict=True)]
        if rows:
            few, many = findings.record.small.get(axis, 1), medians[0].last.size
            groups.append(Rows(f"{_HEADINGS[axis]}: {integer(few)} and {integer(many)}", rows))
    columns = ("pattern", "request", "few", "many", "median", "p99")
    return Table("Latency with few and with many", columns, groups, frozenset({0, 1}))


def _latency(median: GrowthLine, tail: GrowthLine) -> list[Cell]:
    times = plain_cells(
        code(median.pattern), median.action.value, duration(median.last.small), duration(median.last.grown)
    )
    return [*times, _verdict(median), _verdict(tail)]


def _verdict(line: GrowthLine) -> Cell:
    return Cell(f"{line.verdict.value} {_changed(line.last.ratio, 1)}", _TONES[line.verdict])


def _changed(ratio: Estimate, less: float = 0.0) -> str:
    """`+12 % (8-15)`: a ratio minus `less`, in percent."""
    value, *between = (
        None if number is None else 100 * (number - less) for number in (ratio.value, ratio.low, ratio.high)
    )
    known = [number for number in between if number is not None]
    places = 0 if max(map(abs, [value or 0.0, *known])) >= 1 else 2
    changed = f"{_signed(value or 0.0, places)} %"
    if len(known) < len(between):
        return changed
    joint = " to " if known[0] < 0 else EN_DASH
    return f"{changed} ({_signed(known[0], places).lstrip('+')}{joint}{_signed(known[1], places).lstrip('+')})"


def _signed(value: float, places: int) -> str:
    text = f"{abs(value):,.{places}f}"
    if float(text.replace(",", "")) == 0:
        return text
    return f"{MINUS if value < 0 else '+'}{text}"


def _slopes(findings: GrowthFindings) -> Table:
    def row(line: GrowthLine) -> list[Cell]:
        points = "; ".join(f"{integer(point.size)}: {_changed(point.ratio, 1)}" for point in line.points)
        per = "tenfold" if line.tenfold else "thousand"
        which = "median" if line.percent == 50 else f"p{line.percent:g}"
        return list(plain_cells(code(line.pattern), line.action.value, which, _changed(line.slope), per, points))

    groups = [
        Rows(_HEADINGS[axis], [row(line) for line in findings.lines if line.axis is axis])
        for axis in Axis
        if findings.of(axis, 50)
    ]
    columns = ("pattern", "request", "of", "slope", "per", "at each size")
    return Table("Fitted lines", columns, groups, frozenset({0, 1, 2, 4, 5}), folded=True)


def _plots(findings: GrowthFindings) -> list[Block]:
    blocks: list[Block] = []
    for axis in Axis:
        lines = findings.of(axis, 50)
        patterns = dict.fromkeys(line.pattern for line in lines)
        if not patterns:
            continue
        tops = [point.ratio.value for line in lines for point in line.points]
        plots = [_plot(name, axis, [line for line in lines if line.pattern == name], max(tops)) for name in patterns]
        note = (
            "The median as a multiple of the small server's, with the fitted line: dotted for submit, solid for "
            "status. All plots share the same axes. Dashed: the limit for flat."
        )
        blocks.append(Plots(_HEADINGS[axis], plots, [_points(axis, lines)], note, small=True))
    return blocks


def _plot(pattern: str, axis: Axis, lines: Sequence[GrowthLine], top: float) -> Plot:
    sizes = [point.size for point in lines[0].points]
    low, high = math.log10(sizes[0]) - 0.2, math.log10(sizes[-1]) + 0.2
    data = [plot_line("flat", [10**low, 10**high], [FLAT, FLAT], "--bad", dash="dash", marks=False)]
    in_words = []
    for line in lines:
        ratios = [point.ratio.value for point in line.points]
        colour, dash = _DRAWN[line.action]
        through = [10 ** (low + (high - low) * part / _STEPS) for part in range(_STEPS + 1)]
        fitted = [line.at(number) for number in through]
        data.append({**plot_line(line.action.value, sizes, ratios, colour), "mode": "markers"})
        data.append(plot_line("line", through, fitted, colour, dash=dash, marks=False))
        at = ", ".join(f"{ratio:.2f} at {integer(number)}" for number, ratio in zip(sizes, ratios, strict=True))
        in_words.append(f"{line.action.value} {at}")
    ticks = {"tickmode": "linear", "dtick": 1, "tickformat": "~s"}
    return Plot(
        title=pattern,
        alternative=f"{_HEADINGS[axis]}. {pattern}, ratio to the small server: {'; '.join(in_words)}.",
        data=data,
        layout={
            "xaxis": {**plot_axis("how many", low=low, high=high, log=True), **ticks},
            "yaxis": plot_axis("ratio", high=max(1.5, 1.1 * top)),
        },
        height=_HEIGHT,
    )


def _points(axis: Axis, lines: Sequence[GrowthLine]) -> Table:
    rows = [
        [
            Cell(code(line.pattern)),
            *plain_cells(line.action.value, integer(point.size), duration(point.small), duration(point.grown)),
            Cell(f"{point.ratio.value:.2f}"),
        ]
        for line in lines
        for point in line.points
    ]
    columns = ("pattern", "request", "size", "with few", "with many", "ratio")
    return Table(f"{_HEADINGS[axis]}: medians", columns, [Rows("", rows)], frozenset({0, 1}), folded=True)


def _memory(findings: GrowthFindings) -> Table:
    groups = []
    for axis in Axis:
        rows = [
            list(plain_cells(code(memory.pattern), memory.role, size(round(memory.bytes_per_item))))
            for memory in findings.weights
            if memory.axis is axis
        ]
        if rows:
            groups.append(Rows(_HEADINGS[axis], rows))
    return Table("Memory per item", ("pattern", "process", "memory"), groups, frozenset({0, 1}))


def _expiry(findings: GrowthFindings) -> list[Block]:
    rows = [
        [
            *plain_cells(
                code(expiry.pattern),
                integer(expiry.records),
                duration(expiry.small_longest),
                duration(expiry.grown_longest),
            ),
            *plain_cells(size(expiry.bytes_before), size(expiry.bytes_after)),
        ]
        for expiry in findings.expiries
    ]
    columns = ("pattern", "records", "with few", "with many", "memory before", "memory after")
    return [
        Text(
            "No request is sent until all records have expired. Then two servers get requests in turn; one of them has "
            "all of these records to delete. The table shows the longest request of each, which is often a hiccup of "
            "the machine.",
            "When many records expire at once.",
        ),
        Table("Longest request while records expire", columns, [Rows("", rows)]),
    ]
