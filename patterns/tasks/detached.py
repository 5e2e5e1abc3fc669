"""asyncio tasks that nobody awaits.

The event loop keeps only a weak reference to a task, so one that is kept nowhere else may be collected as garbage
before it is done.
"""

import asyncio
from collections.abc import Coroutine
from typing import Any

_kept: set[asyncio.Task[Any]] = set()


def start(coroutine: Coroutine[Any, Any, object]) -> None:
    """Run `coroutine` on the event loop, without waiting for it."""
    _keep(asyncio.create_task(coroutine))


def abandon(task: asyncio.Task[Any]) -> None:
    """Cancel `task`, without waiting for it: a coroutine that suppresses its cancellation goes on for a while."""
    if not task.done():
        task.cancel()
        _keep(task)
        task.add_done_callback(_ignore_outcome)


def _keep(task: asyncio.Task[Any]) -> None:
    _kept.add(task)
    task.add_done_callback(_kept.discard)


def _ignore_outcome(task: asyncio.Task[Any]) -> None:
    if not task.cancelled():
        task.exception()  # retrieved, so that the loop does not report it
