"""The simulated agent, and one that reports what its prompt contains."""

import asyncio
import json

from patterns.agents.running import ReportProgress
from patterns.agents.simulated import simulated_agent
from patterns.contract.settings import load_settings

REPORTS = "reports: "

_simulated = simulated_agent(load_settings())


async def agent(prompt: str, report_progress: ReportProgress) -> object:
    """With the prompt `reports: [[percent, message], ...]`, make these reports, then run until the task ends."""
    if not prompt.startswith(REPORTS):
        return await _simulated(prompt, report_progress)  # type: ignore[misc]  # it is async
    for report in json.loads(prompt.removeprefix(REPORTS)):
        report_progress(*report)
    while True:
        await asyncio.sleep(0.05)
        report_progress(0)
