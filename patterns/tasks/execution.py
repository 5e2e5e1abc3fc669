"""Run one task in the web process: from pending to finished, whatever the agent does.

The agent and the record are watched together. Whichever ends first ends the other: an agent that returns or
raises finishes the record; a record that is finished by someone else (cancelled, or failed at a stop) ends
the agent.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from patterns.agents.running import CLEAN_UP_SECONDS, Agent, ReportProgress, TaskEnded, describe
from patterns.contract import ErrorCode
from patterns.observability.lifecycle import working_on
from patterns.tasks.detached import abandon
from patterns.tasks.memory_store import MemoryStore

RunAgent = Callable[[Agent, str, ReportProgress], Awaitable[str]]


async def execute(store: MemoryStore, run: RunAgent, agent: Agent, task_id: str, prompt: str, timeout: float) -> None:
    """Run `agent` for one task by `run`, and see to it that the record ends.

    The record is finished at the latest after `timeout` seconds. Returns when the agent has ended too, at the latest
    `CLEAN_UP_SECONDS` later; an agent that suppresses its cancellation goes on, and nobody waits for it.
    """
    carrier = store.carrier(task_id)
    if store.start(task_id):
        with working_on(task_id, carrier):
            await _run(store, run, agent, task_id, prompt, timeout)


async def _run(store: MemoryStore, run: RunAgent, agent: Agent, task_id: str, prompt: str, timeout: float) -> None:
    loop = asyncio.get_running_loop()
    finished = store.watch(task_id)

    def report_progress(percent: int) -> None:
        if finished.done():
            raise TaskEnded
        whole = int(percent)  # what is no number is the agent's own mistake: it hears of it here
        loop.call_soon_threadsafe(store.progress, task_id, whole)

    async def job() -> None:
        """Finish the record in the same step as the agent: until then a request would see a task that runs."""
        try:
            result = await run(agent, prompt, report_progress)
        except asyncio.CancelledError:  # unless it is ours: then the record is finished
            store.fail(task_id, ErrorCode.AGENT_ERROR, "The agent cancelled itself.")
        except (SystemExit, KeyboardInterrupt):  # must not take the server with it
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
            working.result()  # raises, if the record could not be finished
    finally:
        abandon(working)
