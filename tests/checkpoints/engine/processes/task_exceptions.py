"""Prints the exception of an asyncio task as soon as the task has ended.

asyncio itself tells it when the task is thrown away, and whoever keeps its workers in a list throws none away.
"""

import asyncio
import traceback
from collections.abc import Coroutine, Generator
from typing import Any

#: Whoever awaits it has learned of the exception by then.
_SOON_SECONDS = 0.02


def print_task_exceptions(
    loop: asyncio.AbstractEventLoop, coro: Coroutine[Any, Any, Any] | Generator[Any, None, Any], **more: Any
) -> asyncio.Task[Any]:
    """A task factory: its tasks print an exception that nobody awaits."""
    task = asyncio.Task(coro, loop=loop, **more)
    task.add_done_callback(_look_soon)
    return task


def _look_soon(task: asyncio.Task[Any]) -> None:
    if _nobody_knows(task):
        task.get_loop().call_later(_SOON_SECONDS, _tell, task)


def _tell(task: asyncio.Task[Any]) -> None:
    if _nobody_knows(task) and (error := task.exception()):
        traceback.print_exception(error)


def _nobody_knows(task: asyncio.Task[Any]) -> bool:
    """Whether it ended with an exception that nobody has asked for."""
    return bool(getattr(task, "_log_traceback", False))
