"""Task records in Redis, shared by any number of web processes and workers: the web side, in asyncio.

The worker's side is in `worker_records`. Both keep to the same keys and the same scripts. Expiry is Redis's own:
a finished record gets its TTL, and nobody looks for it.
"""

import asyncio
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Any

from redis.asyncio import Redis as AsyncRedis
from redis.asyncio.retry import Retry as AsyncRetry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from patterns.contract import Task, TaskStatus
from patterns.contract.settings import Settings
from patterns.observability.counters import DeliveryCounters, TaskCounters
from patterns.observability.tracing import tracing
from patterns.redis_store import scripts
from patterns.redis_store.batching import Batcher
from patterns.redis_store.counters import read_delivery_counters, read_task_counters
from patterns.redis_store.fields import flat, from_fields, new_fields
from patterns.redis_store.keys import Keys
from patterns.redis_store.outbox import AsyncOutbox
from patterns.redis_store.records import finishing, noted_end, reaching
from patterns.tasks.record import Record
from patterns.tasks.store import AlreadyFinished, KeyReused, QueueFull, Unavailable, fingerprint

#: How long a worker is believed to live after its last heartbeat, in seconds. Celery sends one every two.
WORKER_SILENCE_SECONDS = 10.0
#: A request waits this long for Redis to connect, and this long for an answer.
_PATIENCE_SECONDS = 1.0
#: Whoever gets a 503 waits no longer than this for its record to be taken back.
_FORGET_SECONDS = 0.4

#: The keys and the arguments of a script.
_Call = tuple[list[str], list[str | int]]


class RedisStore:
    """The web side. Raises `Unavailable` when Redis does not answer in time.

    `start_a_worker` is what `/health` says when there is none.
    """

    def __init__(
        self, settings: Settings, url: str, start_a_worker: str = "celery -A patterns.celery_queue worker"
    ) -> None:
        self._settings = settings
        self._start_a_worker = start_a_worker
        self._keys = Keys(settings.key_prefix)
        # One immediate retry replaces a pooled connection that a restarted Redis has dropped.
        self._redis = AsyncRedis.from_url(
            url,
            decode_responses=True,
            socket_timeout=_PATIENCE_SECONDS,
            socket_connect_timeout=_PATIENCE_SECONDS,
            retry=AsyncRetry(NoBackoff(), 1),
        )
        self._create = Batcher(self._create_batch)
        # A thousand long-polls that end at once ask together: one by one they would be too many for the connections.
        self._fields = Batcher(self._fields_batch)
        self._finish = self._redis.register_script(scripts.FINISH)
        self._forget = self._redis.register_script(scripts.FORGET)
        self._outbox = AsyncOutbox(self._redis, self._keys)
        self._waiters: dict[str, set[asyncio.Event]] = defaultdict(set)
        self._draining = False

    async def create(
        self,
        task_id: str,
        prompt: str,
        idempotency_key: str | None = None,
        callback_url: str = "",
        root_path: str = "",
    ) -> tuple[Task, bool]:
        """Write the record of a new task, and say whether it has to be handed to a worker.

        A known key gives its own task again. Raises `KeyReused`, `QueueFull`, and `Unavailable`: then nobody
        knows whether the record was written, and the caller calls `forget`.
        """
        if self._draining:
            raise Unavailable("This server is stopping. Send the request again in a moment.")
        record = Record(
            task_id,
            time.time(),
            carrier=tracing().carrier(),
            callback_url=callback_url or None,
            root_path=root_path,
        )
        keys = [self._keys.record(task_id), self._keys.unfinished, self._keys.prompts]
        if idempotency_key is not None:
            keys.append(self._keys.idempotency(idempotency_key))
        same, now = fingerprint(callback_url, prompt).hex(), repr(record.created_at)
        arguments: list[str | int] = [
            *(task_id, now, self._settings.queue_size, same, prompt),
            *flat(new_fields(record)),
        ]
        with reaching("Redis"):
            # Another request with this key is handing its task over. Nobody is told of the task before that is
            # done: if it cannot be done, there is no task.
            while (said := await self._create((keys, arguments)))[0] == "sending":
                await asyncio.sleep(0.02)
                arguments[1] = repr(time.time())
        match said:
            case ["full", unfinished]:
                raise QueueFull(int(unfinished))
            case ["reused"]:
                raise KeyReused
            case ["known" | "unsent" as how, known_id]:
                if task := await self.get(known_id):
                    return task, how == "unsent"
                raise Unavailable("The task of this Idempotency-Key has just expired. Send the request again.")
            case _:
                return record.task(), True

    async def handed_over(self, idempotency_key: str) -> None:
        """Note that the task of this key is with a worker, so that nobody hands it over again."""
        with reaching("Redis"):
            await self._redis.hset(self._keys.idempotency(idempotency_key), "sent", "1")

    async def forget(self, task_id: str) -> None:
        """Undo `create`, tried for a moment only: a message that got through after all finds no record."""
        with suppress(Unavailable, TimeoutError):
            async with asyncio.timeout(_FORGET_SECONDS):
                with reaching("Redis"):
                    keys = self._keys
                    await self._forget([keys.record(task_id), keys.unfinished, keys.running, keys.prompts], [task_id])

    async def get(self, task_id: str) -> Task | None:
        with reaching("Redis"):
            fields = await self._fields(task_id)
        return from_fields(task_id, fields).task() if fields else None

    async def wait(self, task_id: str, seconds: float) -> Task | None:
        deadline = time.monotonic() + seconds
        finished = asyncio.Event()
        self._waiters[task_id].add(finished)  # before the first look, so that nothing is missed in between
        try:
            while True:
                finished.clear()
                task = await self.get(task_id)
                remaining = deadline - time.monotonic()
                if task is None or task.finished or remaining <= 0 or self._draining:
                    return task
                try:
                    await asyncio.wait_for(finished.wait(), remaining)
                except TimeoutError:
                    continue
        finally:
            self._waiters[task_id].discard(finished)
            if not self._waiters[task_id]:
                del self._waiters[task_id]

    async def cancel(self, task_id: str) -> Task | None:
        keys, arguments = finishing(self._keys, self._settings, task_id, time.time(), TaskStatus.CANCELLED, {})
        with reaching("Redis"):
            status = noted_end(task_id, None, await self._finish(keys, arguments))
        if status in {TaskStatus.COMPLETED, TaskStatus.FAILED}:
            raise AlreadyFinished(str(status))
        return await self.get(task_id)

    async def dead_letters(self, limit: int) -> list[Task]:
        return await self._outbox.dead_letters(limit)

    async def redeliver(self, task_id: str) -> Task | None:
        return await self.get(task_id) if await self._outbox.redeliver(task_id) else None

    async def check(self) -> None:
        if self._draining:
            raise Unavailable("This server is stopping.")
        with reaching("Redis"):
            alive = await self._redis.zcount(self._keys.workers, time.time() - WORKER_SILENCE_SECONDS, "+inf")
        if not alive:
            raise Unavailable(
                f"No worker has been heard of for {WORKER_SILENCE_SECONDS:g} s. Start one: {self._start_a_worker}"
            )

    async def task_counters(self) -> TaskCounters:
        with reaching("Redis"):
            return await read_task_counters(self._redis, self._keys, time.time() - WORKER_SILENCE_SECONDS)

    async def delivery_counters(self) -> DeliveryCounters:
        with reaching("Redis"):
            return await read_delivery_counters(self._redis, self._keys, time.time() - self._settings.task_ttl_seconds)

    @asynccontextmanager
    async def listening(self) -> AsyncIterator[None]:
        """Hear of finished tasks while the block lasts, so that long-polls end as soon as they can."""
        listener = asyncio.create_task(self._listen())
        try:
            yield
        finally:
            await self.drain()
            listener.cancel()
            await self._redis.aclose()

    async def drain(self) -> None:
        """Take no more tasks, and answer every long-poll now. Accepted tasks are with the workers, and safe."""
        self._draining = True
        self._wake(*self._waiters)

    async def _create_batch(self, calls: Sequence[_Call]) -> Sequence[Any]:
        async with self._redis.pipeline(transaction=False) as pipeline:
            for keys, arguments in calls:
                pipeline.eval(scripts.CREATE, len(keys), *keys, *arguments)
            return await pipeline.execute(raise_on_error=False)

    async def _fields_batch(self, task_ids: Sequence[str]) -> Sequence[Any]:
        asked = list(dict.fromkeys(task_ids))  # each of them once, however many want to know
        async with self._redis.pipeline(transaction=False) as pipeline:
            for task_id in asked:
                pipeline.hgetall(self._keys.record(task_id))
            found = dict(zip(asked, await pipeline.execute(raise_on_error=False), strict=True))
        return [found[task_id] for task_id in task_ids]

    async def _listen(self) -> None:
        while True:
            try:
                async with self._redis.pubsub() as subscription:
                    await subscription.subscribe(self._keys.finished_channel)
                    self._wake(*self._waiters)  # what was told while nobody listened: everyone looks again
                    while True:
                        message = await subscription.get_message(ignore_subscribe_messages=True, timeout=5)
                        if message:
                            self._wake(message["data"])
            except (RedisError, OSError):
                await asyncio.sleep(0.5)

    def _wake(self, *task_ids: str) -> None:
        for task_id in task_ids:
            for waiter in self._waiters.get(task_id, ()):
                waiter.set()
