"""Task records in the memory of this process."""

import asyncio
import contextlib
import itertools
import time
from collections.abc import Callable

from patterns.contract import DeliveryAttempt, DeliveryState, ErrorCode, Task
from patterns.observability import lifecycle
from patterns.observability.counters import DeliveryCounters, TaskCounters
from patterns.observability.tracing import NO_CARRIER, Carrier, tracing
from patterns.tasks.expiry import RecordExpiry
from patterns.tasks.notifier import Notifier
from patterns.tasks.record import Record
from patterns.tasks.store import KeyReused, QueueFull, Unavailable, fingerprint, new_task_id
from patterns.tasks.watchers import Watchers


class MemoryStore:
    """Task records in this process. Used from the event loop's thread only.

    A finished record is removed after `ttl` seconds. At `limit` unfinished tasks, `create` raises `QueueFull`.
    """

    def __init__(self, *, limit: int, ttl: float, clock: Callable[[], float] = time.time) -> None:
        self.unfinished = 0
        #: The ids of tasks whose outcome is to be delivered: just finished, or a dead letter that is redelivered.
        self.outbox: asyncio.Queue[str] = asyncio.Queue()
        self.streams = Notifier()
        self._tasks, self._deliveries = TaskCounters(), DeliveryCounters()
        self._limit, self._ttl, self._clock = limit, ttl, clock
        self._records: dict[str, Record] = {}
        self._expiry = RecordExpiry(self._records, self._forget, ttl, clock)
        self._by_key: dict[str, tuple[bytes, str]] = {}
        self._dead_letters: dict[str, None] = {}  # used as an ordered set
        self._undelivered: set[str] = set()
        self._when_finished: dict[str, Callable[[str], object]] = {}
        self._watchers = Watchers()
        self._draining = False
        self._idle = asyncio.Event()
        self._idle.set()

    def __len__(self) -> int:
        return len(self._records)

    def create(
        self,
        prompt: str,
        idempotency_key: str | None = None,
        callback_url: str | None = None,
        root_path: str = "",
        when_finished: Callable[[str], object] | None = None,
    ) -> tuple[Task, bool]:
        """Write the record of a new task. Returns the task, and whether it is new.

        A known idempotency key returns its task, and False. Raises `KeyReused` if the request differs, `QueueFull` at
        the limit, or `Unavailable` while draining. `when_finished` is called with the task's id when it finishes.
        """
        self._expiry.remove_expired()
        if self._draining:
            raise Unavailable("This server is stopping. Send the request again in a moment.")
        request = b"" if idempotency_key is None else fingerprint(callback_url, prompt)
        if idempotency_key is not None and (known := self._known(idempotency_key, request)):
            return known.task(), False
        if self.unfinished >= self._limit:
            raise QueueFull(self.unfinished)
        record = Record(
            new_task_id(),
            self._clock(),
            idempotency_key=idempotency_key,
            carrier=tracing().carrier(),
            callback_url=callback_url,
            root_path=root_path,
        )
        self._records[record.task_id] = record
        if idempotency_key is not None:
            self._by_key[idempotency_key] = request, record.task_id
        if when_finished is not None:
            self._when_finished[record.task_id] = when_finished
        self.unfinished += 1
        self._idle.clear()
        return record.task(), True

    async def get(self, task_id: str) -> Task | None:
        record = await self.changes(task_id)
        return record.task() if record else None

    async def changes(self, task_id: str, seen: int | None = None) -> Record | None:
        self._expiry.remove_expired()
        return self._kept(task_id)

    async def wait(self, task_id: str, seconds: float) -> Task | None:
        record = self._records.get(task_id)
        if record is None or record.finished:
            return await self.get(task_id)
        finished = self.watch(task_id)
        try:
            await asyncio.wait({finished}, timeout=seconds)
        finally:
            finished.cancel()
        return record.task()

    async def cancel(self, task_id: str) -> Task | None:
        record = await self.changes(task_id)
        if record and record.cancel(self._clock()):
            self._finished(record)
        return record.task() if record else None

    async def check(self) -> None:
        if self._draining:
            raise Unavailable("This server is stopping.")

    async def task_counters(self) -> TaskCounters:
        self._tasks.pending = self.unfinished - self._tasks.running
        return self._tasks

    async def dead_letters(self, limit: int) -> list[Task]:
        self._expiry.remove_expired()
        kept = (self._kept(task_id) for task_id in self._dead_letters)
        return [record.task() for record in itertools.islice(filter(None, kept), limit)]

    async def redeliver(self, task_id: str) -> Task | None:
        record = await self.changes(task_id)
        if record is None:
            return None
        record.redeliver()
        del self._dead_letters[task_id]
        self._deliver(record)
        return record.task()

    async def delivery_counters(self) -> DeliveryCounters:
        self._deliveries.under_way, self._deliveries.dead_letters = len(self._undelivered), len(self._dead_letters)
        return self._deliveries

    async def drain(self, grace: float, collect: float = 0.0) -> None:
        """Accept no more tasks, wait up to `grace` seconds for the unfinished ones, and fail the rest.

        Then wait `collect` seconds more if there were any, while the routes still return the outcomes to clients.
        """
        self._draining, pause = True, collect if self.unfinished else 0.0
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._idle.wait(), grace)
        for task_id in [record.task_id for record in self._records.values() if not record.finished]:
            self.fail(task_id, ErrorCode.SHUTDOWN, "The server stopped before the task finished.")
        await asyncio.sleep(pause)

    def carrier(self, task_id: str) -> Carrier:
        """The trace context of a task, which continues the trace of its submit."""
        record = self._records.get(task_id)
        return record.carrier if record else NO_CARRIER

    def start(self, task_id: str) -> bool:
        """Mark a pending task as running. False if it was cancelled, and must not run."""
        record = self._records.get(task_id)
        if record is None or not record.start(self._clock()):
            return False
        self._tasks.task_started((record.started_at or 0.0) - record.created_at)
        lifecycle.started(task_id)
        self.streams.notify(task_id)
        return True

    def progress(self, task_id: str, percent: int, message: str | None = None) -> bool:
        """Store the progress of a task, in percent, and its message, if any. False if the task is not running."""
        record = self._records.get(task_id)
        self.streams.notify(task_id)
        return record is not None and record.advance(percent, message)

    def complete(self, task_id: str, result: str) -> None:
        """Complete the task, unless it is already finished."""
        record = self._records.get(task_id)
        if record and record.complete(self._clock(), result):
            self._finished(record)

    def fail(self, task_id: str, code: ErrorCode, message: str) -> None:
        """Fail the task, unless it is already finished."""
        record = self._records.get(task_id)
        if record and record.fail(self._clock(), code, message):
            self._finished(record)

    def take(self, task_id: str) -> Record | None:
        """Begin an attempt to deliver an outcome, and return the record. None if it has expired or is not waiting."""
        record = self._kept(task_id)
        return record if record and record.begin_attempt() else None

    def record_attempt(self, task_id: str, attempt: DeliveryAttempt, state: DeliveryState, pause: float = 0.0) -> None:
        """Store an attempt and the state of the delivery after it. If it waits, the next is due after `pause` s."""
        record = self._records.get(task_id)
        if record is None:
            return
        record.end_attempt(attempt, state, self._clock() + pause if state is DeliveryState.WAITING else None)
        self._deliveries.attempts[state] += 1
        lifecycle.delivery_attempted(task_id, record.attempts_made, attempt, state)
        if state is not DeliveryState.WAITING:
            self._undelivered.discard(task_id)
        if state is DeliveryState.DEAD:
            self._dead_letters[task_id] = None

    def watch(self, task_id: str) -> asyncio.Future[None]:
        """A future that is done when the task is finished. Cancel it if you no longer need it."""
        future = self._watchers.add(task_id)
        record = self._records.get(task_id)
        if record is None or record.finished:
            self._watchers.notify(task_id)
        return future

    def _finished(self, record: Record) -> None:
        """Count and log a task that has just finished, schedule its expiry and delivery, and wake its waiters."""
        task_id, code = record.task_id, record.error and record.error[0]
        self._tasks.task_finished(record.status, code, record.ran)
        lifecycle.finished(task_id, record.status, code, record.ran)
        self._expiry.add(record)
        self.unfinished -= 1
        if self.unfinished == 0:
            self._idle.set()
        self._watchers.notify(task_id)
        self.streams.notify(task_id)
        if when_finished := self._when_finished.pop(task_id, None):
            when_finished(task_id)
        if record.callback_url is not None:
            self._deliver(record)

    def _deliver(self, record: Record) -> None:
        self._undelivered.add(record.task_id)
        self.outbox.put_nowait(record.task_id)

    def _known(self, idempotency_key: str, request: bytes) -> Record | None:
        """The record of an earlier submit with this key, or None. Raises `KeyReused` if its request differs."""
        known_request, task_id = self._by_key.get(idempotency_key, (request, ""))
        record = self._kept(task_id)
        if record is None:
            self._forget(task_id)  # otherwise its later removal would delete the key of the new record
        elif known_request != request:
            raise KeyReused
        return record

    def _kept(self, task_id: str) -> Record | None:
        """The record, unless it has expired. An expired record may not have been removed yet."""
        record = self._records.get(task_id)
        if record and record.finished_at is not None and record.finished_at + self._ttl <= self._clock():
            return None
        return record

    def _forget(self, task_id: str) -> None:
        record = self._records.pop(task_id, None)
        if record and record.idempotency_key is not None:
            del self._by_key[record.idempotency_key]
        self._dead_letters.pop(task_id, None)
        self._undelivered.discard(task_id)
