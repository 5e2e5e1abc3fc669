"""The changes of a task as a stream of events.

A change is one write of the record that clients can see. Its number is the id of the event. A stream has no queue: it
reads the record whenever that has changed, so a slow reader costs no memory. If it falls behind by more than the
history that a record keeps, it continues with the task as it is.
"""

import asyncio
import re
from collections.abc import AsyncGenerator
from contextlib import suppress
from dataclasses import replace
from typing import NamedTuple, Protocol

from patterns.contract import DeliveryState, Task, TaskStatus
from patterns.tasks.notifier import Notifier
from patterns.tasks.record import Record
from patterns.tasks.store import TaskStore, Unavailable

#: A stream reads the record at least this often, in case a notification was lost with a connection.
_REREAD_SECONDS = 10.0
#: While the store is unavailable, a stream tries to read this often.
_RETRY_SECONDS = 0.5


class Event(NamedTuple):
    """The task after its change number `id`."""

    id: int
    task: Task


class EventStore(TaskStore, Protocol):
    """A store whose tasks can be followed."""

    #: Notified of each change. Closed when all streams must end, although their tasks are not finished.
    streams: Notifier

    async def changes(self, task_id: str, seen: int | None = None) -> Record | None:
        """The record, at least with the history of its changes after the change number `seen`. None as in `get`."""


async def follow(store: EventStore, task_id: str, seen: int | None) -> AsyncGenerator[Event]:
    """The events after the change number `seen`, as they happen. Ends after the outcome, or when the server stops."""
    with store.streams.waiting(task_id) as changed:
        while True:
            changed.clear()
            stopping = store.streams.closed
            try:
                record = await store.changes(task_id, seen)
            except Unavailable:  # an EventSource would give up if it had to connect again now
                if stopping:
                    return
                await asyncio.sleep(_RETRY_SECONDS)
                continue
            if record is None:
                return
            while event := next_event(record, seen):
                yield event
                seen = event.id
            if record.finished or stopping:
                return
            with suppress(TimeoutError):
                await asyncio.wait_for(changed.wait(), _REREAD_SECONDS)


def next_event(record: Record, seen: int | None) -> Event | None:
    """The event after the change number `seen`, or None if the task has not changed since.

    If `seen` is None, unknown, or older than the history of the record, the event is the task as it is.
    """
    last_before_outcome = record.version - int(record.finished)
    oldest = last_before_outcome - len(record.history)
    if seen is None or not oldest <= seen <= record.version:
        return Event(record.version, record.task())
    if seen == record.version:
        return None
    if seen == last_before_outcome:
        return Event(record.version, record.task())
    return Event(seen + 1, _as_it_was(record, *record.history[seen - oldest]))


def change_number(event_id: str | None) -> int | None:
    """The number in the id of an event, or None if no event has such an id."""
    return int(event_id) if event_id and re.fullmatch(r"[0-9]{1,9}", event_id) else None


def _as_it_was(record: Record, progress: int, message: str | None) -> Task:
    """The task after a change before its outcome: it was running, and its outcome had not been delivered."""
    earlier = replace(
        record,
        status=TaskStatus.RUNNING,
        progress=progress,
        message=message,
        result=None,
        error=None,
        finished_at=None,
        delivery=DeliveryState.WAITING,
        attempts=(),
        next_attempt_at=None,
        last_error=None,
    )
    return earlier.task()
