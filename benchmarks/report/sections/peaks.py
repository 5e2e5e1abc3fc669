"""More load than the workers can handle: in a burst, and in an overload."""

from benchmarks.analysis.findings import Burst, Findings, Overload
from benchmarks.records.run import Mode
from benchmarks.report.document import (
    Block,
    Cell,
    Plot,
    Plots,
    Rows,
    Section,
    Table,
    Text,
    Tone,
    code,
    plain_cells,
)
from benchmarks.report.formatting import NOTHING, decimal, duration, integer, per_second, percent
from benchmarks.report.modes import missing
from benchmarks.report.plots import axis, bar_height, line
from benchmarks.report.question_groups import Group, grouped, rows

_SMALL = 200
#: The shares of a burst: label, field, colour.
_SHARES = (("50 %", "to_half", "--submit"), ("95 %", "to_most", "--wait"), ("100 %", "to_all", "--execute"))


def peaks(findings: Findings) -> Section:
    """The burst, then the overload."""
    return Section("peaks", "Bursts and overload", [*_burst(findings), *_overload(findings)])


def _burst(findings: Findings) -> list[Block]:
    if not findings.burst:
        return [Text(missing(findings, Mode.BURST), "A burst.")]
    return [
        Text("Many tasks arrive at once, then none. How long until 50, 95 and 100 % are known to be done?", "A burst."),
        *(
            Plots(group.heading, [_burst_plot(findings, group, members)], [_burst_table(group, members)])
            for group, members in grouped(findings, findings.burst)
        ),
    ]


def _burst_table(group: Group, members: list[Burst]) -> Table:
    def row(burst: Burst) -> list[Cell]:
        never = Cell("never", Tone.BAD)
        shares = [Cell(duration(t)) if t is not None else never for t in (burst.to_half, burst.to_most, burst.to_all)]
        bad = Cell(integer(burst.not_done), Tone.BAD if burst.not_done else Tone.PLAIN)
        return [Cell(code(burst.contender)), Cell(integer(burst.count)), *shares, Cell(duration(burst.answer_p99)), bad]

    columns = ("contender", "tasks", "50 % done", "95 % done", "all done", "submit p99", "not completed")
    return Table("A burst", columns, [Rows(group.heading, [row(burst) for burst in members])])


def _burst_plot(findings: Findings, group: Group, members: list[Burst]) -> Plot:
    names = [burst.contender for burst in members]
    known = [t for burst in findings.burst for t in (burst.to_half, burst.to_most, burst.to_all) if t is not None]
    marks = [
        {
            "type": "scatter",
            "mode": "markers",
            "name": share,
            "y": names,
            "x": [getattr(burst, field) for burst in members],
            "marker": {"color": colour, "size": 12},
        }
        for share, field, colour in _SHARES
    ]
    in_words = "; ".join(
        f"{burst.contender}: "
        + ", ".join(f"{share} in {duration(getattr(burst, field))}" for share, field, _ in _SHARES)
        for burst in members
    )
    return Plot(
        title=f"{integer(max(burst.count for burst in members))} tasks at once",
        alternative=f"{group.heading}. Seconds from the burst until 50, 95 and 100 % were known to be done. "
        f"{in_words}.",
        data=marks,
        layout={
            "xaxis": axis("seconds since the burst", high=1.08 * max(known, default=1.0)),
            "yaxis": {"autorange": "reversed", "automargin": True, "ticksuffix": "  ", "type": "category"},
            "legend": {"orientation": "h", "x": 0, "y": 1.02, "yanchor": "bottom"},
        },
        height=bar_height(len(members)),
    )


def _overload(findings: Findings) -> list[Block]:
    if not findings.overload:
        return [Text(missing(findings, Mode.OVERLOAD), "An overload.")]
    seconds = max((at for overload in findings.overload for at, _ in overload.completed), default=1.0)
    most = max(
        (
            value
            for overload in findings.overload
            for value in (overload.capacity, *(done for _, done in overload.completed))
        ),
        default=1.0,
    )
    plots = [
        Plots(
            group.heading,
            [_overload_plot(overload, group.heading, 1.02 * seconds, 1.1 * most) for overload in members],
            [_per_second(members)],
            "Tasks completed per second; all plots share the same axes. Dashed: the workers' capacity.",
            small=True,
        )
        for group, members in grouped(findings, findings.overload)
    ]
    return [
        Text(
            "The offered load exceeds the workers' capacity. A good server keeps working at full speed and refuses the "
            "rest immediately. Goodput is the rate of completed tasks during the overload.",
            "An overload.",
        ),
        _overload_table(findings),
        *plots,
    ]


def _overload_table(findings: Findings) -> Table:
    def row(overload: Overload) -> list[Cell]:
        share = overload.goodput / overload.capacity if overload.capacity else None
        back = Cell("never", Tone.BAD) if overload.recovery is None else Cell(duration(overload.recovery))
        goodput = per_second(overload.goodput) + (f" ({percent(share)})" if share is not None else "")
        return [
            *plain_cells(
                code(overload.contender), per_second(overload.offered), per_second(overload.capacity), goodput
            ),
            Cell(percent(overload.refused)),
            Cell(integer(overload.lost), Tone.BAD if overload.lost else Tone.GOOD),
            back,
        ]

    columns = ("contender", "offered", "capacity", "goodput", "refused", "lost", "recovered in")
    return Table("An overload", columns, rows(findings, findings.overload, row))


def _overload_plot(overload: Overload, heading: str, seconds: float, most: float) -> Plot:
    data = [
        line("capacity", [0, seconds], [overload.capacity, overload.capacity], "--bad", dash="dash", marks=False),
        line(
            "completed",
            [at for at, _ in overload.completed],
            [n for _, n in overload.completed],
            "--execute",
            marks=False,
        ),
    ]
    share = percent(overload.goodput / overload.capacity) if overload.capacity else NOTHING
    return Plot(
        title=overload.contender,
        alternative=f"{heading}. {overload.contender}: tasks completed per second; goodput "
        f"{per_second(overload.goodput)}, {share} of capacity.",
        data=data,
        layout={"xaxis": axis("seconds", high=seconds), "yaxis": axis("completed per second", high=most)},
        height=_SMALL,
    )


def _per_second(members: list[Overload]) -> Table:
    names = [overload.contender for overload in members]
    done = {overload.contender: dict(overload.completed) for overload in members}
    moments = sorted({at for overload in members for at, _ in overload.completed})
    lines = [plain_cells(decimal(at), *(decimal(done[name].get(at)) for name in names)) for at in moments]
    columns = ("second", *(code(name) for name in names))
    return Table("Tasks completed in each second of the overload", columns, [Rows("", lines)], folded=True)
