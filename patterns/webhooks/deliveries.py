"""Tell outcomes from one web process: each one again until it is taken or given up."""

import asyncio
import itertools
import logging
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from weakref import WeakValueDictionary

import httpx

from patterns.contract import Delivery, DeliveryAttempt, DeliveryState, Task, WebhookTask
from patterns.contract.settings import Settings
from patterns.observability import lifecycle
from patterns.observability.counters import DeliveryFigures
from patterns.observability.tracing import Carrier, tracing
from patterns.tasks.record import moment
from patterns.webhooks.attempt import ATTEMPTS_SHOWN, Attempted, Caller, payload, what_next

logger = logging.getLogger(__name__)

#: Attempts under way at once, and those of them that go to one receiver: a slow one holds up no other's.
_AT_ONCE, _AT_ONCE_TO_ONE = 100, 20

FetchTask = Callable[[str], Awaitable[Task | None]]


@dataclass(slots=True)
class DeliveryRecord:
    """What is kept of one callback."""

    url: httpx.URL
    carrier: Carrier
    state: DeliveryState = DeliveryState.WAITING
    attempts: list[DeliveryAttempt] = field(default_factory=list)
    next_attempt_at: float | None = None
    last_error: str | None = None

    def delivery(self) -> Delivery:
        """The record as its client sees it."""
        due = self.next_attempt_at
        return Delivery(
            state=self.state,
            attempts=self.attempts[-ATTEMPTS_SHOWN:],
            next_attempt_at=None if due is None else moment(due),
            last_error=self.last_error,
        )


class Deliveries:
    """The callbacks of one web process. They live as long as the records of their tasks."""

    def __init__(self, settings: Settings, fetch: FetchTask) -> None:
        self._settings = settings
        self._fetch = fetch
        self._records: dict[str, DeliveryRecord] = {}
        self._dead: dict[str, None] = {}
        self._attempts_by_outcome: Counter[DeliveryState] = Counter()
        self._under_way: set[asyncio.Task[None]] = set()
        self._drained = False
        self._slots = asyncio.Semaphore(_AT_ONCE)
        self._slots_to: WeakValueDictionary[bytes, asyncio.Semaphore] = WeakValueDictionary()
        self._caller = Caller(settings, _AT_ONCE)

    def expect(self, task_id: str, url: httpx.URL) -> None:
        """Remember where the outcome of an accepted task goes."""
        self._records[task_id] = DeliveryRecord(url, tracing().carrier())

    def get(self, task_id: str) -> DeliveryRecord:
        """The callback of a known task."""
        return self._records[task_id]

    def present(self, task: Task) -> WebhookTask:
        """A known task with its callback, as its client sees it."""
        return WebhookTask(**task.__dict__, delivery=self.get(task.task_id).delivery())

    def start(self, task_id: str) -> None:
        """Begin to tell the outcome of a task that is finished."""
        record = self._records.get(task_id)
        if record is None:
            return
        record.state, record.last_error = DeliveryState.WAITING, None
        self._dead.pop(task_id, None)
        under_way = asyncio.create_task(self._deliver(task_id, record), name=f"delivery-{task_id}")
        self._under_way.add(under_way)
        under_way.add_done_callback(self._under_way.discard)

    def forget(self, task_id: str) -> None:
        """Let go of the callback of a task whose record has expired."""
        self._records.pop(task_id, None)
        self._dead.pop(task_id, None)

    def dead_letters(self, limit: int) -> list[str]:
        """The task ids whose outcome could not be told, oldest first."""
        return list(itertools.islice(self._dead, limit))

    async def figures(self) -> DeliveryFigures:
        """How many are told now, were told, and could not be told."""
        return DeliveryFigures(len(self._under_way), len(self._dead), self._attempts_by_outcome)

    async def drain(self, seconds: float) -> None:
        """Wait at most `seconds` for what is being told now. A second call does not wait again."""
        if self._under_way and not self._drained:
            self._drained = True
            await asyncio.wait(set(self._under_way), timeout=seconds)

    async def aclose(self) -> None:
        """Stop telling, and close the connections."""
        for under_way in list(self._under_way):
            under_way.cancel()
        await self._caller.aclose()

    async def _deliver(self, task_id: str, record: DeliveryRecord) -> None:
        try:
            if task := await self._fetch(task_id):
                await self._attempts(task_id, record, payload(task))
        except Exception:
            logger.exception("the delivery broke", extra={"task_id": task_id})
            record.state, record.last_error = DeliveryState.DEAD, "the server broke; its log has the details"
        if record.state is DeliveryState.DEAD and task_id in self._records:
            self._dead[task_id] = None

    async def _attempts(self, task_id: str, record: DeliveryRecord, body: bytes) -> None:
        for number in itertools.count(1):
            attempted = await self._attempt(task_id, record, body)
            record.state, pause = what_next(self._settings, number, attempted)
            record.last_error = attempted.attempt.error
            record.attempts.append(attempted.attempt)
            self._attempts_by_outcome[record.state] += 1
            lifecycle.attempted(task_id, number, attempted.attempt, record.state)
            if record.state is not DeliveryState.WAITING:
                return
            record.next_attempt_at = time.time() + pause
            await asyncio.sleep(pause)
            record.next_attempt_at = None
            if task_id not in self._records:
                return  # expired while it waited

    async def _attempt(self, task_id: str, record: DeliveryRecord, body: bytes) -> Attempted:
        """One POST, when it is its turn."""
        slots_to_one = self._slots_to.setdefault(record.url.netloc, asyncio.Semaphore(_AT_ONCE_TO_ONE))
        async with slots_to_one, self._slots:
            return await self._caller.attempt(task_id, record.url, body, record.carrier)
