"""The agent of these tests: the prompt says what it does."""

import asyncio
from pathlib import Path

from patterns.agents.running import ReportProgress


async def agent(prompt: str, report_progress: ReportProgress) -> str:
    """`hold:` works until it is cancelled, `count:FILE` appends a line to the file, `long:N` returns N letters."""
    word, _, rest = prompt.partition(":")
    while word == "hold":
        await asyncio.sleep(0.05)
        report_progress(10)
    if word == "count":
        await asyncio.to_thread(_count, Path(rest))
    if word == "long":
        return "x" * int(rest)
    return f"{len(prompt)} characters"


def _count(file: Path) -> None:
    with file.open("a") as runs:
        runs.write("one more\n")
