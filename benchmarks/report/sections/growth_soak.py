"""The memory that many tasks leave behind, while their records are kept and after they have expired."""

from collections.abc import Mapping

from benchmarks.analysis.growth_findings import GrowthFindings, SoakResult
from benchmarks.report.document import Block, Cell, Rows, Table, Text, Tone, code, plain_cells
from benchmarks.report.formatting import MINUS, integer, percent, size

#: The growth per task may differ from the size of a record by this share.
MOST_DIFFERENCE = 0.05
_ABOUT = (
    "The tasks were sent through each pattern over HTTP, with an agent that finishes at once. Memory is exact for the "
    "web server (the bytes allocated, after a garbage collection) and for Redis (its own figure, without buffers); for "
    "workers it is the resident memory. The size of a record was measured on a separate server that wrote as many "
    "records without any task. Growth is fitted over the second half of the tasks."
)


def soaks(findings: GrowthFindings) -> list[Block]:
    """The growth per task beside the size of a record, and the handles left open."""
    if not findings.soaks:
        return []
    columns = ("pattern", "tasks", "record", "growth", "difference", "other processes", "after expiry")
    return [
        Text(_ABOUT, "What a task leaves behind."),
        Table(
            "Memory per task",
            columns,
            [Rows("", [_memory(soak) for soak in findings.soaks])],
            frozenset({0, 5, 6}),
        ),
        Table(
            "Additional open handles and threads after the soak",
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
            code(soak.pattern), integer(soak.tasks), size(soak.record_bytes), size(soak.kept_bytes[soak.keeper])
        ),
        Cell(f"{sign}{percent(abs(soak.difference))}", Tone.GOOD if within else Tone.BAD),
        *plain_cells(", ".join(others), left),
    ]


def _open(soak: SoakResult) -> list[Cell]:
    def cell(more: Mapping[str, int]) -> Cell:
        text = ", ".join(f"{role} {number:+d}" if number else f"{role} 0" for role, number in more.items())
        return Cell(text, Tone.BAD if any(number > 0 for number in more.values()) else Tone.GOOD)

    return [Cell(code(soak.pattern)), cell(soak.handles), cell(soak.threads)]
