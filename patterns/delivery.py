"""Tell an outcome: one signed POST per attempt, again until it is taken or given up.

As Standard Webhooks has it (https://www.standardwebhooks.com): the same `webhook-id` on every attempt, a
timestamp and a signature of each attempt's own, only 2xx is success, 410 means stop, `Retry-After` is honoured.
"""

import asyncio
import logging
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from weakref import WeakValueDictionary

import httpcore
import httpx
from standardwebhooks import Webhook

from patterns.backoff import growing_jitter, retry_after
from patterns.contract import Callback, Delivery, DeliveryAttempt, DeliveryState, Task
from patterns.egress import ForbiddenAddress, GuardedNetwork
from patterns.figures import DeliveryFigures
from patterns.observing import attempted
from patterns.settings import Settings
from patterns.store import moment
from patterns.tracing import Carrier, tracing

logger = logging.getLogger(__name__)

#: Standard Webhooks: keep payloads under 20 kB.
MOST_BYTES = 20_000
#: Attempts under way at once, and those of them that go to one receiver: a slow one holds up no other's.
_AT_ONCE, _AT_ONCE_TO_ONE = 100, 20
#: How much of an answer's body is read, and for how long, so that its connection can be used again.
_ANSWER_BYTES, _ANSWER_SECONDS = 65_536, 1.0
#: The attempts shown for one delivery; of more, the last ones.
_ATTEMPTS_SHOWN = 20

FAILURES = (httpcore.NetworkError, httpcore.TimeoutException, httpcore.ProtocolError, TimeoutError, OSError)

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
            attempts=self.attempts[-_ATTEMPTS_SHOWN:],
            next_attempt_at=None if due is None else moment(due),
            last_error=self.last_error,
        )


class Deliveries:
    """The callbacks of one web process. They live as long as the records of their tasks."""

    def __init__(self, settings: Settings, fetch: FetchTask) -> None:
        self._settings = settings
        self._fetch = fetch
        self._signer = Webhook(settings.webhook_secret or "")
        self._records: dict[str, DeliveryRecord] = {}
        self._dead: dict[str, None] = {}
        self._attempts_by_outcome: Counter[DeliveryState] = Counter()
        self._under_way: set[asyncio.Task[None]] = set()
        self._drained = False
        self._slots = asyncio.Semaphore(_AT_ONCE)
        self._slots_to: WeakValueDictionary[bytes, asyncio.Semaphore] = WeakValueDictionary()
        self._pool = httpcore.AsyncConnectionPool(
            max_connections=_AT_ONCE,
            keepalive_expiry=5.0,
            network_backend=GuardedNetwork(allow_private=settings.webhook_allow_private),
        )

    def expect(self, task_id: str, url: httpx.URL) -> None:
        """Remember where the outcome of an accepted task goes."""
        self._records[task_id] = DeliveryRecord(url, tracing().carrier())

    def get(self, task_id: str) -> DeliveryRecord:
        """The callback of a known task."""
        return self._records[task_id]

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

    def dead_letters(self) -> list[str]:
        """The task ids whose outcome could not be told, oldest first."""
        return list(self._dead)

    def figures(self) -> DeliveryFigures:
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
        await self._pool.aclose()

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
        for attempt in range(self._settings.webhook_attempts):
            asked_for = await self._attempt(task_id, record, body)
            if record.state is DeliveryState.WAITING and attempt + 1 == self._settings.webhook_attempts:
                record.state = DeliveryState.DEAD
            self._attempts_by_outcome[record.state] += 1
            if record.state is not DeliveryState.WAITING:
                return
            first, longest = self._settings.webhook_first_pause_seconds, self._settings.webhook_max_pause_seconds
            pause = min(longest, max(growing_jitter(attempt, first, longest), asked_for or 0.0))
            record.next_attempt_at = time.time() + pause
            await asyncio.sleep(pause)
            record.next_attempt_at = None
            if task_id not in self._records:
                return  # expired while it waited

    async def _attempt(self, task_id: str, record: DeliveryRecord, body: bytes) -> float | None:
        """One POST. Writes down what came of it, and gives the pause that the receiver asked for."""
        slots_to_one = self._slots_to.setdefault(record.url.netloc, asyncio.Semaphore(_AT_ONCE_TO_ONE))
        async with slots_to_one, self._slots:
            attempt, asked_for = DeliveryAttempt(at=datetime.now(UTC)), None
            try:
                async with asyncio.timeout(self._settings.webhook_timeout_seconds):
                    with tracing().deliver(task_id, record.carrier) as headers:
                        attempt.status_code, asked_for = await self._post(f"msg_{task_id}", record.url, body, headers)
                        tracing().told(attempt.status_code)
            except ForbiddenAddress as error:
                attempt.error, record.state = str(error), DeliveryState.DEAD
            except FAILURES as error:
                attempt.error = f"{type(error).__name__}: {error}".removesuffix(": ")
        if attempt.status_code is not None:
            if 200 <= attempt.status_code < 300:
                record.state = DeliveryState.DELIVERED
            else:
                attempt.error = f"the receiver answered {attempt.status_code}"
                if attempt.status_code == 410:
                    record.state = DeliveryState.DEAD
        record.attempts.append(attempt)
        record.last_error = attempt.error
        attempted(task_id, len(record.attempts), attempt, record.state)
        return asked_for

    async def _post(
        self, webhook_id: str, url: httpx.URL, body: bytes, more: Mapping[str, str]
    ) -> tuple[int, float | None]:
        now = datetime.now(UTC)
        headers: dict[bytes | str, bytes | str] = {
            "host": url.netloc,  # httpcore's own lacks the brackets of an IPv6 address
            "content-type": "application/json",
            "user-agent": "longjobs-kit",
            "webhook-id": webhook_id,
            "webhook-timestamp": str(int(now.timestamp())),
            "webhook-signature": self._signer.sign(webhook_id, now, body.decode()),
        }
        headers.update(more.items())
        target = httpcore.URL(scheme=url.raw_scheme, host=url.raw_host, port=url.port, target=url.raw_path)
        async with self._pool.stream("POST", target, headers=headers, content=body) as answer:
            # The status is the answer. Its body is only read to keep the connection, and may never end.
            with suppress(*FAILURES):
                async with asyncio.timeout(_ANSWER_SECONDS):
                    read = 0
                    async for chunk in answer.aiter_stream():
                        read += len(chunk)
                        if read > _ANSWER_BYTES:
                            break
            fields = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in answer.headers}
            return answer.status, retry_after(fields)


def payload(task: Task) -> bytes:
    """The bytes that tell the outcome of `task`."""
    body = Callback(**task.model_dump()).model_dump_json().encode()
    if len(body) > MOST_BYTES:
        thin = task.model_dump() | {"result": None}
        body = Callback(**thin, result_at=f"/agent/status/{task.task_id}").model_dump_json().encode()
    return body
