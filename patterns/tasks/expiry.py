"""Removes expired records in small batches: removing a million takes a second, and no request should wait for that."""

import asyncio
from collections import deque
from collections.abc import Callable, Mapping
from contextlib import suppress

from patterns.tasks.record import HISTORY_SECONDS, Record

#: Removed in one go, in a fraction of a millisecond.
BATCH_SIZE = 100


class ExpiryQueue:
    """Task ids in the order in which they expire. Used from the event loop's thread only."""

    def __init__(self, forget: Callable[[str], None], clock: Callable[[], float]) -> None:
        self._forget = forget
        self._clock = clock
        self._ids: deque[tuple[float, str]] = deque()
        self._scheduled = False

    def add(self, expires_at: float, task_id: str) -> None:
        """Add an id that expires no earlier than those before it."""
        self._ids.append((expires_at, task_id))

    def remove_expired(self) -> None:
        """Remove one batch. If there are more, the event loop removes them later, between its other work."""
        now = self._clock()
        for _ in range(BATCH_SIZE):
            if not (self._ids and self._ids[0][0] <= now):
                return
            self._forget(self._ids.popleft()[1])
        if not self._scheduled:
            with suppress(RuntimeError):  # without an event loop, later calls remove the rest
                asyncio.get_running_loop().call_soon(self._continue)
                self._scheduled = True

    def _continue(self) -> None:
        self._scheduled = False
        self.remove_expired()


class RecordExpiry:
    """Removes finished records after `ttl` seconds, and their histories earlier."""

    def __init__(
        self, records: Mapping[str, Record], forget: Callable[[str], None], ttl: float, clock: Callable[[], float]
    ) -> None:
        self._records = records
        self._ttl = ttl
        self._expired = ExpiryQueue(forget, clock)
        self._histories = ExpiryQueue(self._forget_history, clock)

    def add(self, record: Record) -> None:
        """Add a record that has just finished."""
        finished_at = record.finished_at or 0.0
        self._expired.add(finished_at + self._ttl, record.task_id)
        self._histories.add(finished_at + HISTORY_SECONDS, record.task_id)

    def remove_expired(self) -> None:
        """Remove one batch of each."""
        self._expired.remove_expired()
        self._histories.remove_expired()

    def _forget_history(self, task_id: str) -> None:
        if record := self._records.get(task_id):
            record.history.clear()
