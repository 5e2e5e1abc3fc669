"""Batches concurrent calls, so that they share one round trip.

Calls that arrive while a batch is running form the next batch. A single call starts at once: nothing is delayed to fill
a batch.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeVar

T = TypeVar("T")
R = TypeVar("R")


class Batcher(Generic[T, R]):
    """Calls `work` with the items of many callers at once, and returns to each caller its own result.

    `work` returns one result for each item, in order. A result that is an exception is raised in its caller; an
    exception that `work` raises is raised in all callers of the batch.
    """

    def __init__(self, work: Callable[[Sequence[T]], Awaitable[Sequence[R | Exception]]]) -> None:
        self._work = work
        self._waiting: list[tuple[T, asyncio.Future[R]]] = []
        self._running: asyncio.Task[None] | None = None

    async def __call__(self, item: T) -> R:
        """Process `item` in the next batch, and return its result."""
        future: asyncio.Future[R] = asyncio.get_running_loop().create_future()
        self._waiting.append((item, future))
        if self._running is None or self._running.done():
            self._running = asyncio.create_task(self._run())
        return await future

    async def _run(self) -> None:
        while self._waiting:
            # A future that is done belongs to a caller that was cancelled.
            batch, self._waiting = [pair for pair in self._waiting if not pair[1].done()], []
            try:
                results: Sequence[R | Exception] = await self._work([item for item, _ in batch])
            except Exception as error:  # raised again in each caller
                results = [error] * len(batch)
            for (_, future), result in zip(batch, results, strict=True):
                if future.done():
                    continue
                if isinstance(result, Exception):
                    future.set_exception(result)
                else:
                    future.set_result(result)
