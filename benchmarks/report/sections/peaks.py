"""When more comes than can be done: a burst at once, and an overload for a while."""

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
from benchmarks.report.formatting import NOTHING, duration, per_second, percent, plain, whole
from benchmarks.report.modes import missing
from benchmarks.report.plots import axis, bar_height, line
from benchmarks.report.question_groups import Group, grouped, rows

_SMALL = 200
#: Which share of a burst, and how it is drawn.
_SHARES = (("50 %", "to_half", "--submit"), ("95 %", "to_most", "--wait"), ("100 %", "to_all", "--execute"))


def peaks(findings: Findings) -> Section:
    """The burst, then the overload."""
    return Section("peaks", "Bursts and overload", [*_burst(findings), *_overload(findings)])


def _burst(findings: Findings) -> list[Block]:
    if not findings.burst:
        return [Text(missing(findings, Mode.BURST), "A burst.")]
    return [
        Text(
            "Many tasks came at once, and then none: how long until so many of them were known to be done?", "A burst."
        ),
        *(
            Plots(group.heading, [_burst_plot(findings, group, members)], [_burst_table(group, members)])
            for group, members in grouped(findings, findings.burst)
        ),
    ]


def _burst_table(group: Group, members: list[Burst]) -> Table:
    def row(one: Burst) -> list[Cell]:
        never = Cell("never", Tone.BAD)
        shares = [Cell(duration(t)) if t is not None else never for t in (one.to_half, one.to_most, one.to_all)]
        bad = Cell(whole(one.not_done), Tone.BAD if one.not_done else Tone.PLAIN)
        return [Cell(code(one.contender)), Cell(whole(one.count)), *shares, Cell(duration(one.answer_p99)), bad]

    columns = ("contender", "at once", "50 % done", "95 % done", "all done", "answer p99", "not done")
    return Table("A burst", columns, [Rows(group.heading, [row(one) for one in members])])


def _burst_plot(findings: Findings, group: Group, members: list[Burst]) -> Plot:
    names = [one.contender for one in members]
    known = [t for one in findings.burst for t in (one.to_half, one.to_most, one.to_all) if t is not None]
    marks = [
        {
            "type": "scatter",
            "mode": "markers",
            "name": share,
            "y": names,
            "x": [getattr(one, field) for one in members],
            "marker": {"color": colour, "size": 12},
        }
        for share, field, colour in _SHARES
    ]
    said = "; ".join(
        f"{one.contender}: {', '.join(f'{share} in {duration(getattr(one, field))}' for share, field, _ in _SHARES)}"
        for one in members
    )
    return Plot(
        title=f"{whole(max(one.count for one in members))} at once",
        alternative=f"{group.heading}. Seconds from the burst until 50, 95 and 100 % were known to be done. {said}.",
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
    seconds = max((at for one in findings.overload for at, _ in one.completed), default=1.0)
    most = max(
        (value for one in findings.overload for value in (one.capacity, *(done for _, done in one.completed))),
        default=1.0,
    )
    plots = [
        Plots(
            group.heading,
            [_overload_plot(one, group.heading, 1.02 * seconds, 1.1 * most) for one in members],
            [_per_second(members)],
            "Completed in each second; all have the same axes. Dashed: the most that the workers can do.",
            small=True,
        )
        for group, members in grouped(findings, findings.overload)
    ]
    return [
        Text(
            "More was offered than the workers can do. Good servers go on at full speed and refuse the rest at once. "
            "Goodput is what was completed per second meanwhile.",
            "An overload.",
        ),
        _overload_table(findings),
        *plots,
    ]


def _overload_table(findings: Findings) -> Table:
    def row(one: Overload) -> list[Cell]:
        share = one.goodput / one.capacity if one.capacity else None
        back = Cell("never", Tone.BAD) if one.recovery is None else Cell(duration(one.recovery))
        goodput = per_second(one.goodput) + (f" ({percent(share)})" if share is not None else "")
        return [
            *plain_cells(code(one.contender), per_second(one.offered), per_second(one.capacity), goodput),
            Cell(percent(one.refused)),
            Cell(whole(one.lost), Tone.BAD if one.lost else Tone.GOOD),
            back,
        ]

    columns = ("contender", "offered", "possible", "goodput", "refused", "lost", "recovered in")
    return Table("An overload", columns, rows(findings, findings.overload, row))


def _overload_plot(one: Overload, heading: str, seconds: float, most: float) -> Plot:
    data = [
        line("possible", [0, seconds], [one.capacity, one.capacity], "--bad", dash="dash", marks=False),
        line("completed", [at for at, _ in one.completed], [n for _, n in one.completed], "--execute", marks=False),
    ]
    share = percent(one.goodput / one.capacity) if one.capacity else NOTHING
    return Plot(
        title=one.contender,
        alternative=f"{heading}. {one.contender}: completed tasks in each second; goodput {per_second(one.goodput)}, "
        f"{share} of what is possible.",
        data=data,
        layout={"xaxis": axis("seconds", high=seconds), "yaxis": axis("done per second", high=most)},
        height=_SMALL,
    )


def _per_second(members: list[Overload]) -> Table:
    names = [one.contender for one in members]
    done = {one.contender: dict(one.completed) for one in members}
    moments = sorted({at for one in members for at, _ in one.completed})
    found = [plain_cells(plain(at), *(plain(done[name].get(at)) for name in names)) for at in moments]
    columns = ("second", *(code(name) for name in names))
    return Table("Completed in each second of the overload", columns, [Rows("", found)], folded=True)
