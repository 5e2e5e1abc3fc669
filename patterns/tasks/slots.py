"""Limits how many tasks run at once.

`asyncio.Semaphore` would keep a cancelled task in the queue until its turn comes: a client that submits and cancels in
a loop would fill the memory of a busy server.
"""

import asyncio
from collections import OrderedDict


class Slots:
    """At most `number` tasks run at once, first come, first served. Used from the event loop's thread only."""

    def __init__(self, number: int) -> None:
        self._free = number
        self._waiting: OrderedDict[str, asyncio.Future[bool]] = OrderedDict()

    async def acquire(self, task_id: str) -> bool:
        """Wait for a slot. False if the task is discarded first: then it has no slot."""
        if self._free:
            self._free -= 1
            return True
        turn: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._waiting[task_id] = turn
        return await turn

    def release(self) -> None:
        """Give the slot to the task that has waited longest."""
        while self._waiting:
            _, turn = self._waiting.popitem(last=False)
            if not turn.done():
                turn.set_result(True)
                return
        self._free += 1

    def discard(self, task_id: str) -> None:
        """Remove a task, if it is still waiting."""
        turn = self._waiting.pop(task_id, None)
        if turn and not turn.done():
            turn.set_result(False)
