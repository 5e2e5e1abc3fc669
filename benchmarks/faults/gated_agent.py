"""The agent of the fault runs: it writes down that it runs, and stands at a gate until it is let through.

Its prompt is `cell:number:now` or `cell:number:held`. What it leaves lies in the folder `KIT_FAULTS_FOLDER`: a file
`CELL.runs` with a line for each run, and the gate, which is open when there is a file `CELL.open`.
"""

import asyncio
import os
from collections.abc import Callable
from pathlib import Path

_LOOK_SECONDS = 0.05


async def gated(prompt: str, report_progress: Callable[[int], None]) -> str:
    """Run one task, as `KIT_AGENT=benchmarks.faults.gated_agent:gated`."""
    cell, number, how = prompt.split(":")
    folder = Path(os.environ["KIT_FAULTS_FOLDER"])
    with runs_file(folder, cell).open("a") as file:  # one short write in append mode: whole, whoever else writes
        file.write(f"{number}\n")
    while how == "held" and not gate(folder, cell).exists():
        await asyncio.sleep(_LOOK_SECONDS)
        report_progress(50)
    return f"done {number}"


def runs_file(folder: Path, cell: str) -> Path:
    """Where the runs of a cell are written down."""
    return folder / f"{cell}.runs"


def gate(folder: Path, cell: str) -> Path:
    """What is there when the gate of a cell is open."""
    return folder / f"{cell}.open"
