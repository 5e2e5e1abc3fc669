"""The agent of the fault trials: it records each run, and waits at a gate until the gate opens.

Its prompt is `trial:number:now` or `trial:number:held`. The folder `KIT_FAULTS_FOLDER` contains a file `TRIAL.runs`
with a line for each run. The gate is open if the file `TRIAL.open` exists.
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
    # A short write in append mode is atomic, even if another process writes.
    with runs_file(folder, trial).open("a") as file:
        file.write(f"{number}\n")
    while how == "held" and not gate(folder, trial).exists():
        await asyncio.sleep(_POLL_SECONDS)
        report_progress(50)
    return f"done {number}"


def runs_file(folder: Path, trial: str) -> Path:
    """The file that records the runs of a trial."""
    return folder / f"{trial}.runs"


def gate(folder: Path, trial: str) -> Path:
    """The file that exists if the gate of a trial is open."""
    return folder / f"{trial}.open"
