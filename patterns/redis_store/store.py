"""The web side of the task records in Redis, which any number of web processes and workers share.

The worker's side is `worker_records`. Both use the same keys and scripts. Finished records expire by Redis's own TTL.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Any

from redis.asyncio import Redis as AsyncRedis
from redis.asyncio.retry import Retry as AsyncRetry
from redis.backoff import NoBackoff

from patterns.contract import Task, TaskStatus
from patterns.contract.settings import Settings
from patterns.observability.counters import DeliveryCounters, TaskCounters
from patterns.observability.tracing import tracing
from patterns.redis_store import scripts
from patterns.redis_store.batching import Batcher
from patterns.redis_store.counters import read_delivery_counters, read_task_counters
from patterns.redis_store.fields import flatten, from_fields, history_from, new_fields
from patterns.redis_store.keys import Keys
from patterns.redis_store.notifications import Notifications
from patterns.redis_store.outbox import AsyncOutbox
from patterns.redis_store.records import finish_arguments, log_finish, unavailable_on_error
from patterns.tasks.record import Record
from patterns.tasks.store import AlreadyFinished, KeyReused, QueueFull, Unavailable, fingerprint

#: A worker without a heartbeat for this long counts as dead. Celery sends a heartbeat every two seconds.
HEARTBEAT_EXPIRES_SECONDS = 10.0
#: The timeout of a connection attempt to Redis, and that of a command.
_TIMEOUT_SECONDS = 1.0
#: A 503 is delayed by at most this long, to undo the record.
_FORGET_SECONDS = 0.4

#: Higher than the number of any change: there is no history after it.
_NO_HISTORY = 10**9
#: The keys and the arguments of a script.
_Call = tuple[list[str], list[str | int]]


class RedisStore:
    """The task records, for a web process. Its methods raise `Unavailable` if Redis does not reply in time.

    `worker_command` is the command that `/health` recommends if no worker is running.
    """

    def __init__(
        self, settings: Settings, url: str, worker_command: str = "celery -A patterns.celery_queue worker"
    ) -> None:
        self._settings = settings
        self._worker_command = worker_command
        self._keys = Keys(settings.key_prefix)
        # One immediate retry replaces a pooled connection that a restarted Redis has dropped.
        self._redis = AsyncRedis.from_url(
            url,
            decode_responses=True,
            socket_timeout=_TIMEOUT_SECONDS,
            socket_connect_timeout=_TIMEOUT_SECONDS,
            retry=AsyncRetry(NoBackoff(), 1),
        )
        self._create = Batcher(self._create_batch)
        # Batched, because a thousand long polls may end at once, and each would need a connection.
        self._fields = Batcher(self._fields_batch)
        self._changes = Batcher(self._changes_batch)
        self._finish = self._redis.register_script(scripts.FINISH)
        self._forget = self._redis.register_script(scripts.FORGET)
        self._outbox = AsyncOutbox(self._redis, self._keys)
        self._notifications = Notifications(self._redis, self._keys)
        self.streams = self._notifications.changed
        self._draining = False

    async def create(
        self,
        task_id: str,
        prompt: str,
        idempotency_key: str | None = None,
        callback_url: str = "",
        root_path: str = "",
    ) -> tuple[Task, bool]:
        """Write the record of a new task. Returns the task, and whether its message must be sent to the workers.

        A known idempotency key returns its task. Raises `KeyReused`, `QueueFull`, or `Unavailable`. After `Unavailable`
        the record may or may not exist, so the caller must call `forget`.
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
        match await self._write(record, prompt, idempotency_key):
            case ["full", unfinished]:
                raise QueueFull(int(unfinished))
            case ["reused"]:
                raise KeyReused
            case ["known" | "unsent" as state, known_id]:
                if task := await self.get(known_id):
                    return task, state == "unsent"
                raise Unavailable("The task of this Idempotency-Key has just expired. Send the request again.")
            case _:
                return record.task(), True

    async def _write(self, record: Record, prompt: str, idempotency_key: str | None) -> Any:
        """Call the script `CREATE`, and return its reply."""
        keys = [self._keys.record(record.task_id), self._keys.unfinished, self._keys.prompts]
        if idempotency_key is not None:
            keys.append(self._keys.idempotency(idempotency_key))
        request, now = fingerprint(record.callback_url, prompt).hex(), repr(record.created_at)
        arguments: list[str | int] = [
            *(record.task_id, now, self._settings.queue_size, request, prompt),
            *flatten(new_fields(record)),
        ]
        with unavailable_on_error():
            # Another request with this key is sending the message. If that fails, there will be no task, so wait.
            while (reply := await self._create((keys, arguments)))[0] == "sending":
                await asyncio.sleep(0.02)
                arguments[1] = repr(time.time())
        return reply

    async def mark_sent(self, idempotency_key: str) -> None:
        """Store that the message of this key's task was sent, so that no other request sends it."""
        with unavailable_on_error():
            await self._redis.hset(self._keys.idempotency(idempotency_key), "sent", "1")

    async def forget(self, task_id: str) -> None:
        """Undo `create`, if Redis is reachable. If the message was sent after all, its worker finds no record."""
        with suppress(Unavailable, TimeoutError):
            async with asyncio.timeout(_FORGET_SECONDS):
                with unavailable_on_error():
                    keys = self._keys
                    await self._forget(
                        [keys.record(task_id), keys.unfinished, keys.running, keys.prompts, keys.history(task_id)],
                        [task_id],
                    )

    async def get(self, task_id: str) -> Task | None:
        with unavailable_on_error():
            fields = await self._fields(task_id)
        return from_fields(task_id, fields).task() if fields else None

    async def changes(self, task_id: str, seen: int | None = None) -> Record | None:
        with unavailable_on_error():
            fields, history = await self._changes((task_id, seen))
        if not fields:
            return None
        record = from_fields(task_id, dict(zip(fields[::2], fields[1::2], strict=True)))
        record.history = history_from(history)
        return record

    async def wait(self, task_id: str, seconds: float) -> Task | None:
        deadline = time.monotonic() + seconds
        # Before the first read, so that no notification is missed.
        with self._notifications.finished.waiting(task_id) as finished:
            while True:
                finished.clear()
                task = await self.get(task_id)
                remaining = deadline - time.monotonic()
                if task is None or task.finished or remaining <= 0 or self._draining:
                    return task
                with suppress(TimeoutError):
                    await asyncio.wait_for(finished.wait(), remaining)

    async def cancel(self, task_id: str) -> Task | None:
        keys, arguments = finish_arguments(self._keys, self._settings, task_id, time.time(), TaskStatus.CANCELLED, {})
        with unavailable_on_error():
            status = log_finish(task_id, None, await self._finish(keys, arguments))
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
        with unavailable_on_error():
            alive = await self._redis.zcount(self._keys.workers, time.time() - HEARTBEAT_EXPIRES_SECONDS, "+inf")
        if not alive:
            raise Unavailable(
                f"No worker has sent a heartbeat for {HEARTBEAT_EXPIRES_SECONDS:g} s. Start one: {self._worker_command}"
            )

    async def task_counters(self) -> TaskCounters:
        with unavailable_on_error():
            return await read_task_counters(self._redis, self._keys, time.time() - HEARTBEAT_EXPIRES_SECONDS)

    async def delivery_counters(self) -> DeliveryCounters:
        with unavailable_on_error():
            return await read_delivery_counters(self._redis, self._keys, time.time() - self._settings.task_ttl_seconds)

    @asynccontextmanager
    async def listening(self) -> AsyncIterator[None]:
        """Be notified of changes for as long as the block lasts, so that long polls and streams need not poll."""
        try:
            async with self._notifications.listening():
                yield
        finally:
            await self.drain()
            await self._redis.aclose()

    async def drain(self) -> None:
        """Accept no more tasks, and end all long polls and streams. Accepted tasks are safe: the workers have them."""
        self._draining = True
        self._notifications.close()

    async def _create_batch(self, calls: Sequence[_Call]) -> Sequence[Any]:
        async with self._redis.pipeline(transaction=False) as pipeline:
            for keys, arguments in calls:
                pipeline.eval(scripts.CREATE, len(keys), *keys, *arguments)
            return await pipeline.execute(raise_on_error=False)

    async def _fields_batch(self, task_ids: Sequence[str]) -> Sequence[Any]:
        unique_ids = list(dict.fromkeys(task_ids))
        async with self._redis.pipeline(transaction=False) as pipeline:
            for task_id in unique_ids:
                pipeline.hgetall(self._keys.record(task_id))
            fields = dict(zip(unique_ids, await pipeline.execute(raise_on_error=False), strict=True))
        return [fields[task_id] for task_id in task_ids]

    async def _changes_batch(self, calls: Sequence[tuple[str, int | None]]) -> Sequence[Any]:
        unique_calls = list(dict.fromkeys(calls))
        async with self._redis.pipeline(transaction=False) as pipeline:
            for task_id, seen in unique_calls:
                keys = [self._keys.record(task_id), self._keys.history(task_id)]
                pipeline.eval(scripts.CHANGES, len(keys), *keys, _NO_HISTORY if seen is None else seen)
            found = dict(zip(unique_calls, await pipeline.execute(raise_on_error=False), strict=True))
        return [found[call] for call in calls]
