"""Runs an agent: on the running event loop, or in a daemon thread.

An agent is any callable `(prompt, report_progress) -> str`, sync or async. `report_progress` takes a percentage and,
optionally, a message that says what the agent is doing. Once the task is cancelled or has timed out, it raises
`TaskEnded`: a sync agent in a thread cannot be interrupted, but it stops at its next report.
"""

import asyncio
import inspect
import threading
import unicodedata
from collections.abc import Awaitable, Callable
from contextlib import suppress
from contextvars import copy_context
from typing import Protocol, cast

#: A longer message is cut.
MESSAGE_MAX = 200


class ReportProgress(Protocol):
    """How an agent reports its progress, in percent, and what it is doing. Raises `TaskEnded`."""

    def __call__(self, percent: int, message: str | None = None) -> None:
        """Report. Without a message, the task keeps the last one."""


Agent = Callable[[str, ReportProgress], str | Awaitable[str]]

#: How long an agent may clean up after it was cancelled or interrupted. Then it is abandoned.
CLEAN_UP_SECONDS = 1.0


class TaskEnded(BaseException):
    """Raised in an agent by `report_progress` when its task was cancelled or has timed out.

    Not an `Exception`, so that an `except Exception` in the agent does not catch it.
    """


def is_async(agent: Agent) -> bool:
    """Whether calling the agent returns a coroutine."""
    return inspect.iscoroutinefunction(agent) or inspect.iscoroutinefunction(type(agent).__call__)


async def run_on_event_loop(agent: Agent, prompt: str, report_progress: ReportProgress) -> str:
    """Run an async agent on the event loop, and a sync agent in a daemon thread, so that it does not block the loop."""
    if is_async(agent):
        return checked(await cast("Awaitable[str]", agent(prompt, report_progress)))
    return await run_in_daemon_thread(agent, prompt, report_progress)


async def run_in_daemon_thread(agent: Agent, prompt: str, report_progress: ReportProgress) -> str:
    """Call the agent in a thread that does not keep the process from exiting. A coroutine that it returns runs here.

    The interpreter waits at exit for the threads of `asyncio.to_thread` and of anyio's pool, so one hung agent would
    delay every deploy. It does not wait for daemon threads. When the caller is cancelled, the thread goes on until its
    next `report_progress`, because a thread cannot be killed.
    """
    loop = asyncio.get_running_loop()
    outcome: asyncio.Future[object] = loop.create_future()

    def set_outcome(result: object, error: BaseException | None) -> None:
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
            failure = RuntimeError(f"the agent raised StopIteration: {error}")  # a Future does not accept StopIteration
        except BaseException as error:  # raised again in the caller
            failure = error
        with suppress(RuntimeError):  # the loop is closed, because the server has stopped
            loop.call_soon_threadsafe(set_outcome, result, failure)

    # In the caller's context, so that the agent's log lines have the task's id.
    threading.Thread(target=copy_context().run, args=(run,), name="agent", daemon=True).start()
    result = await outcome
    return checked(await result if inspect.isawaitable(result) else result)


def checked(result: object) -> str:
    """The result of an agent, with lone surrogates replaced. Raises `TypeError` if it is not a str."""
    if not isinstance(result, str):
        raise TypeError(f"an agent must return a str, and this one returned {type(result).__name__}")
    return result.encode(errors="replace").decode()  # a str with a lone surrogate cannot be sent


def checked_report(percent: int, message: str | None) -> tuple[int, str | None]:
    """A report as it is stored: a whole percentage from 0 to 100, and one line of at most `MESSAGE_MAX` characters.

    An empty message counts as none. Raises in the agent if a value has the wrong type.
    """
    if message is not None and not isinstance(message, str):
        raise TypeError(f"the message of a progress report must be a str, not {type(message).__name__}")
    line = "".join(" " if _is_control(character) else character for character in (message or "")[:MESSAGE_MAX])
    return max(0, min(int(percent), 100)), line.strip() or None


def _is_control(character: str) -> bool:
    # Control characters, line and paragraph separators, and surrogates, which cannot be sent.
    return unicodedata.category(character) in {"Cc", "Zl", "Zp", "Cs"}


def describe(error: BaseException) -> str:
    """An agent's exception in one line of at most 500 characters, without a traceback."""
    text = " ".join(str(error).split()).encode(errors="replace").decode()  # a lone surrogate cannot be sent
    return f"{type(error).__name__}: {text}"[:500] if text else type(error).__name__
