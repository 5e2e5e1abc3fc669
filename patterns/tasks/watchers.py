"""Futures that are done when a task is finished."""

import asyncio


class Watchers:
    """The futures of the tasks that are being waited for. Used from the event loop's thread only."""

    def __init__(self) -> None:
        self._futures: dict[str, set[asyncio.Future[None]]] = {}

    def add(self, task_id: str) -> asyncio.Future[None]:
        """A new future for the task. It is removed when it is done or cancelled."""
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        futures = self._futures.setdefault(task_id, set())
        futures.add(future)
        future.add_done_callback(futures.discard)
        return future

    def notify(self, task_id: str) -> None:
        """The task is finished, so all of its futures are done."""
        for future in self._futures.pop(task_id, ()):
            if not future.done():
                future.set_result(None)
