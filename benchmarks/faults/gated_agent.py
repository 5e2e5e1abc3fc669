"""The agent of the fault trials: it writes down that it runs, and waits at a gate until that opens.

Its prompt is `trial:number:now` or `trial:number:held`. What it leaves lies in the folder `KIT_FAULTS_FOLDER`: a file
`TRIAL.runs` with a line for each run, and the gate, which is open when there is a file `TRIAL.open`.
"""

import asyncio
import os
from collections.abc import Callable
from pathlib import Path

_POLL_SECONDS = 0.05


async def gated(prompt: str, report_progress: Callable[[int], None]) -> str:
    """Run one task, as `KIT_AGENT=benchmarks.faults.gated_agent:gated`."""
    trial, number, how = prompt.split(":")
    folder = Path(os.environ["KIT_FAULTS_FOLDER"])
    with runs_file(folder, trial).open(
        "a"
    ) as file:  # one short write in append mode: whole, even if another process writes
        file.write(f"{number}\n")
    while how == "held" and not gate(folder, trial).exists():
        await asyncio.sleep(_POLL_SECONDS)
        report_progress(50)
    return f"done {number}"


def runs_file(folder: Path, trial: str) -> Path:
    """Where the runs of a trial are written down."""
    return folder / f"{trial}.runs"


def gate(folder: Path, trial: str) -> Path:
    """What is there when the gate of a trial is open."""
    return folder / f"{trial}.open"
