"""asyncio tasks that are cancelled and no longer awaited."""

import asyncio
from typing import Any

#: The event loop keeps only weak references: a task without another reference may be garbage-collected while it runs.
_abandoned: set[asyncio.Task[Any]] = set()


def abandon(task: asyncio.Task[Any]) -> None:
    """Cancel `task` without waiting for it: a coroutine that suppresses its cancellation goes on for a while."""
    if not task.done():
        task.cancel()
        _abandoned.add(task)
        task.add_done_callback(_forget)


def _forget(task: asyncio.Task[Any]) -> None:
    _abandoned.discard(task)
    if not task.cancelled():
        task.exception()  # retrieve it, so that the event loop does not log it
