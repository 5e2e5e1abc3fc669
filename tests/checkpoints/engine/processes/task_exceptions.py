"""Prints the exception of an asyncio task as soon as the task has ended.

asyncio itself logs it only when the task is garbage-collected, which never happens to workers in a list.
"""

import asyncio
import traceback
from collections.abc import Coroutine, Generator
from typing import Any

#: Code that awaits the task has retrieved the exception by then.
_SOON_SECONDS = 0.02


def print_task_exceptions(
    loop: asyncio.AbstractEventLoop, coro: Coroutine[Any, Any, Any] | Generator[Any, None, Any], **more: Any
) -> asyncio.Task[Any]:
    """A task factory whose tasks print an exception that is not retrieved."""
    task = asyncio.Task(coro, loop=loop, **more)
    task.add_done_callback(_look_soon)
    return task


def _look_soon(task: asyncio.Task[Any]) -> None:
    if _is_unretrieved(task):
        task.get_loop().call_later(_SOON_SECONDS, _print, task)


def _print(task: asyncio.Task[Any]) -> None:
    if _is_unretrieved(task) and (error := task.exception()):
        traceback.print_exception(error)


def _is_unretrieved(task: asyncio.Task[Any]) -> bool:
    """Whether the task ended with an exception that was not retrieved."""
    return bool(getattr(task, "_log_traceback", False))
