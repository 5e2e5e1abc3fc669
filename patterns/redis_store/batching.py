"""Do together what is asked for at the same time.

What arrives while one batch is on its way goes with the next. Alone, a request waits for nobody; under load
many share one round trip. Nothing is delayed in order to fill a batch.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeVar

T = TypeVar("T")
R = TypeVar("R")


class Batcher(Generic[T, R]):
    """Calls `work` with the items of many callers at once, and gives each caller its own answer.

    `work` returns one answer for each item, in order. An answer that is an exception is raised for its caller;
    an exception that `work` raises is raised for all of the batch.
    """

    def __init__(self, work: Callable[[Sequence[T]], Awaitable[Sequence[R | Exception]]]) -> None:
        self._work = work
        self._waiting: list[tuple[T, asyncio.Future[R]]] = []
        self._running: asyncio.Task[None] | None = None

    async def __call__(self, item: T) -> R:
        """Have `item` done with the next batch, and return its answer."""
        answer: asyncio.Future[R] = asyncio.get_running_loop().create_future()
        self._waiting.append((item, answer))
        if self._running is None or self._running.done():
            self._running = asyncio.create_task(self._run())
        return await answer

    async def _run(self) -> None:
        while self._waiting:
            # A caller that was cancelled in the meantime wants nothing done.
            batch, self._waiting = [pair for pair in self._waiting if not pair[1].done()], []
            try:
                answers: Sequence[R | Exception] = await self._work([item for item, _ in batch])
            except Exception as error:  # told to each caller, whatever it is
                answers = [error] * len(batch)
            for (_, answer), given in zip(batch, answers, strict=True):
                if answer.done():
                    continue
                if isinstance(given, Exception):
                    answer.set_exception(given)
                else:
                    answer.set_result(given)
