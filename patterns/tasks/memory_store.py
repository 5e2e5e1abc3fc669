"""Task records in the memory of this process."""

import asyncio
import contextlib
import time
from collections.abc import Callable

from patterns.contract import FINISHED, ErrorCode, Task, TaskStatus
from patterns.observability.counters import TaskFigures
from patterns.observability.lifecycle import finished, started
from patterns.observability.tracing import NO_CARRIER, Carrier, tracing
from patterns.tasks.expiry import Expiring
from patterns.tasks.record import Record
from patterns.tasks.store import AlreadyFinished, KeyReused, QueueFull, Unavailable, fingerprint, new_task_id


class MemoryStore:
    """Records in this process, for as long as it lives. Used from the event loop's thread only.

    Finished records go after `ttl` seconds. They finish in the order in which they expire, so that the
    expired ones are always at the left of a queue: forgetting one costs the same however many are kept.
    """

    def __init__(self, *, limit: int, ttl: float, clock: Callable[[], float] = time.time) -> None:
        self.unfinished = 0
        #: Called with the id of a task that has just finished, and of one whose record has just expired.
        self.on_finish: list[Callable[[str], None]] = []
        self.on_forget: list[Callable[[str], None]] = []
        self._figures = TaskFigures()
        self._limit = limit
        self._ttl = ttl
        self._clock = clock
        self._records: dict[str, Record] = {}
        self._expiring = Expiring(self._forget, clock)
        self._by_key: dict[str, tuple[bytes, str]] = {}
        self._carriers: dict[str, Carrier] = {}
        self._watchers: dict[str, set[asyncio.Future[None]]] = {}
        self._draining = False
        self._idle = asyncio.Event()
        self._idle.set()

    def __len__(self) -> int:
        return len(self._records)

    def create(self, body: str, idempotency_key: str | None = None) -> tuple[Task, bool]:
        """Write the record of a new task, and say whether it is new.

        A known key with the same body gives its task again, with False. Raises `KeyReused` when the body
        differs, and `QueueFull` at the limit.
        """
        self._expiring.forget()
        if self._draining:
            raise Unavailable("This server is stopping. Send the request again in a moment.")
        if idempotency_key is not None and (known := self._by_key.get(idempotency_key)):
            seen, task_id = known
            if record := self._kept(task_id):
                if seen != fingerprint(body):
                    raise KeyReused(
                        "This Idempotency-Key came with another body before. Use a new key for a new request."
                    )
                return record.task(), False
            self._forget(task_id)
        if self.unfinished >= self._limit:
            raise QueueFull(f"{self.unfinished} tasks are waiting or running, and this server takes no more.")
        record = Record(new_task_id(), self._clock(), idempotency_key=idempotency_key)
        self._records[record.task_id] = record
        if idempotency_key is not None:
            self._by_key[idempotency_key] = (fingerprint(body), record.task_id)
        if carrier := tracing().carrier():
            self._carriers[record.task_id] = carrier
        self.unfinished += 1
        self._idle.clear()
        return record.task(), True

    async def get(self, task_id: str) -> Task | None:
        self._expiring.forget()
        record = self._kept(task_id)
        return record.task() if record else None

    async def wait(self, task_id: str, seconds: float) -> Task | None:
        record = self._records.get(task_id)
        if record is None or record.status in FINISHED:
            return await self.get(task_id)
        finished = self.watch(task_id)
        try:
            await asyncio.wait({finished}, timeout=seconds)
        finally:
            finished.cancel()
        return record.task()

    async def cancel(self, task_id: str) -> Task | None:
        self._expiring.forget()
        record = self._kept(task_id)
        if record is None:
            return None
        if record.status in {TaskStatus.COMPLETED, TaskStatus.FAILED}:
            raise AlreadyFinished(
                f"The task is {record.status} already. Only a waiting or running task can be cancelled."
            )
        self._finish(record, TaskStatus.CANCELLED)
        return record.task()

    async def check(self) -> None:
        if self._draining:
            raise Unavailable("This server is stopping.")

    async def figures(self) -> TaskFigures:
        self._figures.pending = self.unfinished - self._figures.running
        return self._figures

    async def drain(self, grace: float, collect: float = 0.0) -> None:
        """Take no more tasks, wait at most `grace` seconds for the accepted ones, and fail what is left.

        The routes go on answering, so that clients can learn the outcomes; and for `collect` seconds more, if there
        was any to come.
        """
        self._draining, pause = True, collect if self.unfinished else 0.0
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._idle.wait(), grace)
        for record in list(self._records.values()):
            self._finish(
                record, TaskStatus.FAILED, error=(ErrorCode.SHUTDOWN, "The server stopped before it was done.")
            )
        await asyncio.sleep(pause)

    def carrier(self, task_id: str) -> Carrier:
        """What continues the trace of a task that is not finished."""
        return self._carriers.get(task_id, NO_CARRIER)

    def start(self, task_id: str) -> bool:
        """Mark a waiting task as running. False when it must not run: it was cancelled while it waited."""
        record = self._records.get(task_id)
        if record is None or record.status is not TaskStatus.PENDING:
            return False
        record.status, record.started_at = TaskStatus.RUNNING, self._now(record)
        self._figures.started(record.started_at - record.created_at)
        started(task_id)
        return True

    def progress(self, task_id: str, percent: int) -> None:
        """Note how far a running task is. A lower figure than before is ignored: progress never goes back."""
        record = self._records.get(task_id)
        if record and record.status is TaskStatus.RUNNING:
            record.progress = max(record.progress, min(int(percent), 100))

    def complete(self, task_id: str, result: str) -> None:
        """End the task with its result, unless it is finished already."""
        if record := self._records.get(task_id):
            self._finish(record, TaskStatus.COMPLETED, result=result)

    def fail(self, task_id: str, code: ErrorCode, message: str) -> None:
        """End the task with an error, unless it is finished already."""
        if record := self._records.get(task_id):
            self._finish(record, TaskStatus.FAILED, error=(code, message))

    def watch(self, task_id: str) -> asyncio.Future[None]:
        """A future that is done when the task is finished. Cancel it, or let go of it, when no longer needed."""
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        record = self._records.get(task_id)
        if record is None or record.status in FINISHED:
            future.set_result(None)
            return future
        watchers = self._watchers.setdefault(task_id, set())
        watchers.add(future)
        future.add_done_callback(watchers.discard)
        return future

    def _finish(
        self,
        record: Record,
        status: TaskStatus,
        *,
        result: str | None = None,
        error: tuple[ErrorCode, str] | None = None,
    ) -> None:
        if record.status in FINISHED:
            return
        record.status, record.result, record.error = status, result, error
        record.finished_at = self._now(record)
        if status is TaskStatus.COMPLETED:
            record.progress = 100
        ran = None if record.started_at is None else record.finished_at - record.started_at
        self._figures.ended(status, error and error[0], ran)
        finished(record.task_id, status, error and error[0], ran)
        self._expiring.add(record.finished_at + self._ttl, record.task_id)
        self._carriers.pop(record.task_id, None)
        self.unfinished -= 1
        if self.unfinished == 0:
            self._idle.set()
        for watcher in self._watchers.pop(record.task_id, ()):
            if not watcher.done():
                watcher.set_result(None)
        for tell in self.on_finish:
            tell(record.task_id)

    def _now(self, record: Record) -> float:
        # The system's clock may be set back; the moments of one task stay in order all the same.
        return max(self._clock(), record.started_at or record.created_at)

    def _kept(self, task_id: str) -> Record | None:
        """The record, unless it has expired: whether it is forgotten already makes no difference to anybody."""
        record = self._records.get(task_id)
        if record and record.finished_at is not None and record.finished_at + self._ttl <= self._clock():
            return None
        return record

    def _forget(self, task_id: str) -> None:
        record = self._records.pop(task_id, None)
        if record is None:
            return
        if record.idempotency_key is not None:
            del self._by_key[record.idempotency_key]
        for tell in self.on_forget:
            tell(task_id)
