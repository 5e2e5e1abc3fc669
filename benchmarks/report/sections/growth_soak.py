"""What stays of many tasks: while their records are kept, and when these have expired."""

from collections.abc import Mapping

from benchmarks.analysis.growth_findings import GrowthFindings, SoakResult
from benchmarks.report.document import Block, Cell, Rows, Table, Text, Tone, code, plain_cells
from benchmarks.report.formatting import MINUS, percent, size, whole

#: The growth for each task may differ from a record by this part of it.
MOST_DIFFERENCE = 0.05
_ABOUT = (
    "The tasks below went through each pattern over HTTP, with an agent that is done at once. The memory of the "
    "web server is what its allocators have given out, after a collection, and that of Redis what it says of itself "
    "without buffers: both are exact to the byte, where the pages that the system counts are not. Workers are counted "
    "by their pages. A *record* was weighed apart, on a server that wrote as many without any task. Slopes are those "
    "of the second half."
).replace("*", "")


def soaks(findings: GrowthFindings) -> list[Block]:
    """GrowthFindings for each task beside the size of a record, and what is left open."""
    if not findings.soaks:
        return []
    columns = ("pattern", "tasks", "a record", "kept of each", "differs by", "others keep", "once expired")
    return [
        Text(_ABOUT, "What stays of a task."),
        Table(
            "Memory for each task",
            columns,
            [Rows("", [_memory(soak) for soak in findings.soaks])],
            frozenset({0, 5, 6}),
        ),
        Table(
            "Open handles and threads, after less before",
            ("pattern", "handles", "threads"),
            [Rows("", [_open(soak) for soak in findings.soaks])],
            frozenset({0, 1, 2}),
        ),
    ]


def _memory(soak: SoakResult) -> list[Cell]:
    others = [f"{role} {size(round(kept))}" for role, kept in soak.kept_bytes.items() if role != soak.keeper]
    left = ", ".join(
        f"{role} {size(round(kept))}" if len(soak.expired_bytes) > 1 else size(round(kept))
        for role, kept in soak.expired_bytes.items()
    )
    within = abs(soak.difference) <= MOST_DIFFERENCE
    sign = MINUS if soak.difference < 0 else "+"
    return [
        *plain_cells(
            code(soak.pattern), whole(soak.tasks), size(soak.record_bytes), size(soak.kept_bytes[soak.keeper])
        ),
        Cell(f"{sign}{percent(abs(soak.difference))}", Tone.GOOD if within else Tone.BAD),
        *plain_cells(", ".join(others), left),
    ]


def _open(soak: SoakResult) -> list[Cell]:
    def cell(more: Mapping[str, int]) -> Cell:
        text = ", ".join(f"{role} {number:+d}" if number else f"{role} 0" for role, number in more.items())
        return Cell(text, Tone.BAD if any(number > 0 for number in more.values()) else Tone.GOOD)

    return [Cell(code(soak.pattern)), cell(soak.handles), cell(soak.threads)]
