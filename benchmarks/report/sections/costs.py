"""What a task costs: requests, CPU time, and memory during and after it."""

from collections.abc import Sequence

from benchmarks.analysis.findings import Findings, RoleUsage, Soak, Steady
from benchmarks.records.run import Mode
from benchmarks.report.document import Block, Cell, Plot, Plots, Rows, Section, Table, Text, code
from benchmarks.report.formatting import decimal, duration, integer, size
from benchmarks.report.modes import missing
from benchmarks.report.plots import ROLE_COLOURS, bar_height, bar_layout, bars
from benchmarks.report.question_groups import Group, grouped, rows

#: The clients' side, and so no cost of the servers: in the tables, but not in the plots.
_LOAD = "load process"


def costs(findings: Findings) -> Section:
    """Per task at the steady rate, and over a soak."""
    return Section("costs", "What a task costs", [*_per_task(findings), *_growth(findings)])


def _per_task(findings: Findings) -> list[Block]:
    if not findings.steady:
        return [Text(missing(findings, Mode.STEADY))]
    roles = _roles(findings)
    servers = [role for role in roles if role != _LOAD]
    most = max(sum(_cpu(steady, role) or 0.0 for role in servers) for steady in findings.steady)
    by_group = grouped(findings, findings.steady)
    blocks: list[Block] = [
        Text(
            "Requests are those of the client, plus callbacks. CPU time is summed over all processes of a role; the "
            "load process stands for the clients. These numbers have no interval: a small difference may be chance."
        )
    ]
    if servers:
        blocks += [
            Plots(group.heading, [_plot(group, members, servers, most or 0.001)], [_table(group, members, roles)])
            for group, members in by_group
        ]
    else:
        blocks += [_table(group, members, roles) for group, members in by_group]
    blocks.append(_requests(findings))
    return [*blocks, *([_memory(findings, roles)] if roles else [])]


def _requests(findings: Findings) -> Table:
    def row(steady: Steady) -> list[Cell]:
        return [Cell(code(steady.contender)), Cell(decimal(steady.requests_per_task))]

    return Table("Requests per task", ("contender", "requests"), rows(findings, findings.steady, row))


def _table(group: Group, members: list[Steady], roles: Sequence[str]) -> Table:
    lines = [
        [Cell(code(steady.contender)), *(Cell(duration(_cpu(steady, role))) for role in roles)] for steady in members
    ]
    return Table("CPU time per task", ("contender", *roles), [Rows(group.heading, lines)])


def _memory(findings: Findings, roles: Sequence[str]) -> Table:
    def row(steady: Steady) -> list[Cell]:
        usage = {role: _of(steady, role) for role in roles}
        sizes = [size(used.peak_memory_bytes if used else None) for used in usage.values()]
        return [Cell(code(steady.contender)), *map(Cell, sizes)]

    return Table("Peak memory", ("contender", *roles), rows(findings, findings.steady, row))


def _plot(group: Group, members: list[Steady], servers: Sequence[str], most: float) -> Plot:
    values = {role: [1000 * (_cpu(steady, role) or 0.0) for steady in members] for role in servers}
    in_words = "; ".join(
        f"{steady.contender}: " + ", ".join(f"{role} {duration(_cpu(steady, role))}" for role in servers)
        for steady in members
    )
    return Plot(
        title="CPU time of the servers",
        alternative=f"{group.heading}. Stacked bars of the CPU time of each role per task. {in_words}.",
        data=bars([steady.contender for steady in members], values, ROLE_COLOURS, " ms"),
        layout=bar_layout("per task, ms", 1000 * most),
        height=bar_height(len(members)),
    )


def _growth(findings: Findings) -> list[Block]:
    if not findings.soak:
        return [Text(missing(findings, Mode.SOAK), "Memory growth.")]
    roles = tuple(dict.fromkeys(role for soak in findings.soak for role in soak.bytes_per_task))

    def row(soak: Soak) -> list[Cell]:
        grown = [size(soak.bytes_per_task.get(role)) for role in roles]
        return [Cell(code(soak.contender)), *map(Cell, (integer(soak.tasks), duration(soak.seconds), *grown))]

    return [
        Text("The memory that each finished task adds while its record is kept:", "Memory growth."),
        Table("Memory per task", ("contender", "tasks", "duration", *roles), rows(findings, findings.soak, row)),
    ]


def _roles(findings: Findings) -> list[str]:
    """In order of appearance, the load process last."""
    roles = dict.fromkeys(usage.role for steady in findings.steady for usage in steady.usage)
    return sorted(roles, key=lambda role: role == _LOAD)


def _of(steady: Steady, role: str) -> RoleUsage | None:
    return next((usage for usage in steady.usage if usage.role == role), None)


def _cpu(steady: Steady, role: str) -> float | None:
    usage = _of(steady, role)
    return usage.cpu_seconds_per_task if usage else None
