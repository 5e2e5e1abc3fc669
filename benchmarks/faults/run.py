"""All contenders: a few at a time, because a fault is mostly waited for."""

import asyncio
from collections.abc import Sequence
from pathlib import Path

from benchmarks.faults.cells import Faults, Tell, cells_of
from benchmarks.faults.record import Cell, write_cells
from patterns.descriptor import Pattern

_AT_ONCE = 2


def break_all(patterns: Sequence[Pattern], wanted: Faults, folder: Path, tell: Tell) -> list[Cell]:
    """Break everything, and write down what was counted; on an interrupt, what was counted so far."""
    cells: list[Cell] = []

    def note(cell: Cell) -> None:
        cells.append(cell)
        tell(cell)

    try:
        asyncio.run(_break_all(patterns, wanted, folder, note))
    finally:
        places = {pattern.name: place for place, pattern in enumerate(patterns)}
        cells.sort(key=lambda cell: places[cell.contender])  # stable: its faults stay in order
        write_cells(folder, cells)
    return cells


async def _break_all(patterns: Sequence[Pattern], wanted: Faults, folder: Path, note: Tell) -> None:
    turn = asyncio.Semaphore(_AT_ONCE)

    async def one(pattern: Pattern) -> None:
        async with turn:
            await cells_of(pattern, wanted, folder, note)

    # Those with a broker take longest, and begin.
    await asyncio.gather(*(one(pattern) for pattern in sorted(patterns, key=lambda each: -len(each.needs))))
