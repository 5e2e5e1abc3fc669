"""Wakes the coroutines that wait for a task to change."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager


class Notifier:
    """Events of the tasks that are being waited for. Used from the event loop's thread only."""

    def __init__(self) -> None:
        #: Whether nobody may wait any longer, because the server is stopping.
        self.closed = False
        self._events: dict[str, set[asyncio.Event]] = {}

    @contextmanager
    def waiting(self, task_id: str) -> Iterator[asyncio.Event]:
        """An event that is set whenever the task may have changed, for as long as the block lasts."""
        event = asyncio.Event()
        events = self._events.setdefault(task_id, set())
        events.add(event)
        try:
            yield event
        finally:
            events.discard(event)
            if not events:
                del self._events[task_id]

    def notify(self, task_id: str) -> None:
        """The task may have changed."""
        for event in self._events.get(task_id, ()):
            event.set()

    def notify_all(self) -> None:
        """Any task may have changed."""
        for task_id in self._events:
            self.notify(task_id)

    def close(self) -> None:
        """End all waiting."""
        self.closed = True
        self.notify_all()
