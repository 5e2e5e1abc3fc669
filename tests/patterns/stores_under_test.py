"""Both stores behind the same methods, so that one test can check both."""

from typing import Protocol

from patterns.contract import DeliveryAttempt, DeliveryState, ErrorCode
from patterns.redis_store.store import RedisStore
from patterns.redis_store.worker_records import WorkerRecords
from patterns.tasks.events import EventStore
from patterns.tasks.memory_store import MemoryStore
from patterns.tasks.store import new_task_id
from tests.patterns.clock import Clock


class Subject(Protocol):
    """A store, and the side of it that works on its tasks."""

    @property
    def store(self) -> EventStore:
        """The store itself."""

    async def create(self, callback_url: str | None) -> str:
        """The id of a new task."""

    def start(self, task_id: str) -> bool:
        """Whether the task may run."""

    def progress(self, task_id: str, percent: int, message: str | None = None) -> bool:
        """Whether the task is still running."""

    def complete(self, task_id: str) -> None:
        """End it with the result "the result"."""

    def fail(self, task_id: str) -> None:
        """End it with the error "the error"."""

    def attempt(self, task_id: str, attempt: DeliveryAttempt, state: DeliveryState) -> bool:
        """Make an attempt, if the task has an outcome to deliver. The next one is due after a minute."""


class InMemory:
    """The web process itself works on its tasks."""

    def __init__(self, clock: Clock) -> None:
        self.store = MemoryStore(limit=2, ttl=3600, clock=clock)

    async def create(self, callback_url: str | None) -> str:
        return self.store.create("prompt", None, callback_url)[0].task_id

    def start(self, task_id: str) -> bool:
        return self.store.start(task_id)

    def progress(self, task_id: str, percent: int, message: str | None = None) -> bool:
        return self.store.progress(task_id, percent, message)

    def complete(self, task_id: str) -> None:
        self.store.complete(task_id, "the result")

    def fail(self, task_id: str) -> None:
        self.store.fail(task_id, ErrorCode.AGENT_ERROR, "the error")

    def attempt(self, task_id: str, attempt: DeliveryAttempt, state: DeliveryState) -> bool:
        if self.store.take(task_id) is None:
            return False
        self.store.record_attempt(task_id, attempt, state, 60)
        return True


class InRedis:
    """A worker works on the tasks of all web processes."""

    def __init__(self, store: RedisStore, worker: WorkerRecords) -> None:
        self.store = store
        self._worker = worker

    async def create(self, callback_url: str | None) -> str:
        return (await self.store.create(new_task_id(), "prompt", None, callback_url or ""))[0].task_id

    def start(self, task_id: str) -> bool:
        return self._worker.start(task_id, 3)

    def progress(self, task_id: str, percent: int, message: str | None = None) -> bool:
        return self._worker.progress(task_id, percent, message)

    def complete(self, task_id: str) -> None:
        self._worker.complete(task_id, "the result")

    def fail(self, task_id: str) -> None:
        self._worker.fail(task_id, ErrorCode.AGENT_ERROR, "the error")

    def attempt(self, task_id: str, attempt: DeliveryAttempt, state: DeliveryState) -> bool:
        outbox = self._worker.outbox
        if not (due := outbox.due()) or (record := outbox.take(*due[0])) is None:
            return False
        outbox.record_attempt(record, attempt, state, 60)
        return True
