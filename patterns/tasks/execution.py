"""Runs one task in the web process, from pending to finished, whatever the agent does.

An agent that returns or raises finishes the task. A task that is finished in another way (it was cancelled, timed out,
or failed at shutdown) stops the agent.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from patterns.agents.running import Agent, ReportProgress, TaskEnded, checked_report, describe
from patterns.contract import ErrorCode
from patterns.observability.lifecycle import running_task
from patterns.tasks.detached import abandon
from patterns.tasks.memory_store import MemoryStore

RunAgent = Callable[[Agent, str, ReportProgress], Awaitable[str]]


async def execute(store: MemoryStore, run: RunAgent, agent: Agent, task_id: str, prompt: str, timeout: float) -> None:
    """Run `agent` for one task with `run`, and finish the task. `timeout` is in seconds.

    Returns when the task is finished, at the latest after `timeout`. An agent that ignores its cancellation goes on
    in the background.
    """
    carrier = store.carrier(task_id)
    if store.start(task_id):
        with running_task(task_id, carrier):
            await _run(store, run, agent, task_id, prompt, timeout)


async def _run(store: MemoryStore, run: RunAgent, agent: Agent, task_id: str, prompt: str, timeout: float) -> None:
    loop = asyncio.get_running_loop()
    finished = store.watch(task_id)

    def report_progress(percent: int, message: str | None = None) -> None:
        if finished.done():
            raise TaskEnded
        report = checked_report(percent, message)  # here, so that a wrong type raises in the agent
        loop.call_soon_threadsafe(store.progress, task_id, *report)

    async def job() -> str:
        try:
            return await run(agent, prompt, report_progress)
        except (SystemExit, KeyboardInterrupt) as error:
            raise RuntimeError("the agent called sys.exit()") from error  # it must not stop the server

    working = asyncio.create_task(job())
    watched: set[asyncio.Future[Any]] = {working, finished}
    try:
        await asyncio.wait(watched, timeout=timeout, return_when=asyncio.FIRST_COMPLETED)
    finally:
        abandon(working)
    if not working.done():
        store.fail(task_id, ErrorCode.TIMEOUT, f"The task ran longer than {timeout:g} s.")
    elif working.cancelled():
        store.fail(task_id, ErrorCode.AGENT_ERROR, "The agent cancelled itself.")
    elif (error := working.exception()) is not None:
        store.fail(task_id, ErrorCode.AGENT_ERROR, describe(error))
    else:
        store.complete(task_id, working.result())
