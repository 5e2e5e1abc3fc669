"""Runs one task in the web process, from pending to finished, whatever the agent does.

An agent that returns or raises finishes the task. A task that is finished in another way (it was cancelled, timed out,
or failed at shutdown) stops the agent.
"""

import asyncio
import threading
from collections.abc import Awaitable, Callable
from typing import Any

from patterns.agents.running import CLEAN_UP_SECONDS, Agent, ReportProgress, TaskEnded, checked_report, describe
from patterns.contract import ErrorCode
from patterns.observability.lifecycle import running_task
from patterns.tasks.detached import abandon
from patterns.tasks.memory_store import MemoryStore

RunAgent = Callable[[Agent, str, ReportProgress], Awaitable[str]]


async def execute(store: MemoryStore, run: RunAgent, agent: Agent, task_id: str, prompt: str, timeout: float) -> None:
    """Run `agent` for one task with `run`, and finish the task. `timeout` is in seconds.

    The task is finished at the latest after `timeout`. Returns when the agent has stopped too, at the latest
    `CLEAN_UP_SECONDS` later. An agent that ignores its cancellation goes on in the background.
    """
    carrier = store.carrier(task_id)
    if store.start(task_id):
        with running_task(task_id, carrier):
            await _run(store, run, agent, task_id, prompt, timeout)


async def _run(store: MemoryStore, run: RunAgent, agent: Agent, task_id: str, prompt: str, timeout: float) -> None:
    loop, loop_thread = asyncio.get_running_loop(), threading.get_ident()
    finished = store.watch(task_id)

    def report_progress(percent: int, message: str | None = None) -> None:
        if finished.done():
            raise TaskEnded
        report = checked_report(percent, message)  # here, so that a wrong type raises in the agent
        if threading.get_ident() == loop_thread:  # at once: the agent may return in this step
            store.progress(task_id, *report)
        else:
            loop.call_soon_threadsafe(store.progress, task_id, *report)

    async def job() -> None:
        """Finish the task in the same step as the agent, so that no request in between sees it running."""
        try:
            result = await run(agent, prompt, report_progress)
        except asyncio.CancelledError:  # if the agent was cancelled by `_run`, the task is already finished
            store.fail(task_id, ErrorCode.AGENT_ERROR, "The agent cancelled itself.")
        except (SystemExit, KeyboardInterrupt):  # must not stop the server
            store.fail(task_id, ErrorCode.AGENT_ERROR, "The agent called sys.exit().")
        except BaseException as error:
            store.fail(task_id, ErrorCode.AGENT_ERROR, describe(error))
        else:
            store.complete(task_id, result)

    working = asyncio.create_task(job())
    watched: set[asyncio.Future[Any]] = {working, finished}
    try:
        await asyncio.wait(watched, timeout=timeout, return_when=asyncio.FIRST_COMPLETED)
        if not working.done():
            store.fail(task_id, ErrorCode.TIMEOUT, f"The task ran longer than {timeout:g} s.")  # if not yet finished
            working.cancel()
            await asyncio.wait({working}, timeout=CLEAN_UP_SECONDS)
        if working.done() and not working.cancelled():
            working.result()  # raises if the record could not be finished
    finally:
        abandon(working)
