"""Run an agent to its end: on the running event loop, or in a daemon thread.

An agent is any callable `(prompt, report_progress) -> str`, sync or async. The patterns know nothing else
about it. `report_progress` takes a percentage, and raises `TaskEnded` in the agent when its task was cancelled or has
timed out. That is how a sync agent in a thread, which cannot be interrupted, learns to stop.
"""

import asyncio
import inspect
import threading
from collections.abc import Awaitable, Callable
from contextlib import suppress
from contextvars import copy_context
from typing import cast

ReportProgress = Callable[[int], None]
Agent = Callable[[str, ReportProgress], str | Awaitable[str]]

#: What an agent has for cleaning up after it was cancelled or interrupted. Then nobody waits for it.
CLEAN_UP_SECONDS = 1.0


class TaskEnded(BaseException):
    """Raised in an agent by `report_progress` when its task was cancelled or has timed out.

    Not an `Exception`, so that an agent's own `except Exception` does not swallow it.
    """


def is_async(agent: Agent) -> bool:
    """Whether calling the agent gives a coroutine, so that it can run on the event loop."""
    return inspect.iscoroutinefunction(agent) or inspect.iscoroutinefunction(type(agent).__call__)


async def run_on_the_loop(agent: Agent, prompt: str, report_progress: ReportProgress) -> str:
    """Run the agent without blocking the event loop: an async one on it, a sync one in a thread."""
    if is_async(agent):
        return text_of(await cast("Awaitable[str]", agent(prompt, report_progress)))
    return await run_in_daemon_thread(agent, prompt, report_progress)


async def run_in_daemon_thread(agent: Agent, prompt: str, report_progress: ReportProgress) -> str:
    """Call the agent in a thread that cannot keep the process from exiting. If it returns a coroutine, that runs here.

    The threads of `asyncio.to_thread` and of anyio's pool are waited for when the interpreter ends, so one
    hung agent would hold up every deploy. A daemon thread is left behind. When the caller is cancelled the
    thread goes on until its next `report_progress`: a thread cannot be killed, only a process can.
    """
    loop = asyncio.get_running_loop()
    outcome: asyncio.Future[object] = loop.create_future()

    def report(result: object, error: BaseException | None) -> None:
        if outcome.done():  # the caller was cancelled
            if inspect.iscoroutine(result):
                result.close()
        elif error is None:
            outcome.set_result(result)
        else:
            outcome.set_exception(error)

    def run() -> None:
        result: object = None
        failure: BaseException | None = None
        try:
            result = agent(prompt, report_progress)
        except StopIteration as error:
            failure = RuntimeError(f"the agent raised StopIteration: {error}")  # a Future refuses StopIteration
        except BaseException as error:  # raised where the caller awaits, whatever it is
            failure = error
        with suppress(RuntimeError):  # the loop is closed: the server has stopped and nobody waits
            loop.call_soon_threadsafe(report, result, failure)

    # In the caller's context: what the agent logs is about the same task there.
    threading.Thread(target=copy_context().run, args=(run,), name="agent", daemon=True).start()
    result = await outcome
    return text_of(await result if inspect.isawaitable(result) else result)


def text_of(result: object) -> str:
    """The result of an agent, as it can be sent. Raises `TypeError` if it is not a str."""
    if not isinstance(result, str):
        raise TypeError(f"an agent must return a str, and this one returned {type(result).__name__}")
    return result.encode(errors="replace").decode()  # half a surrogate pair is a str, and cannot be sent


def describe(error: BaseException) -> str:
    """An agent's exception in one line, without a traceback."""
    text = " ".join(str(error).split()).encode(errors="replace").decode()  # a file's name may hold half a character
    return f"{type(error).__name__}: {text}"[:500] if text else type(error).__name__
