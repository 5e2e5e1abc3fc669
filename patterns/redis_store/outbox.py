"""The transactional outbox in Redis: the outcomes that are still to be delivered.

The script that finishes a task also adds its id to the outbox, so no crash can come in between. A worker that takes an
outcome gets a lease: if the worker dies, the lease ends, and another worker takes it. So each outcome is delivered at
least once. The `webhook-id` is the same on every attempt, so that receivers can drop duplicates.
"""

import time
from dataclasses import replace
from typing import Any

import redis
from redis.asyncio import Redis as AsyncRedis

from patterns.contract import DeliveryAttempt, DeliveryState, Task
from patterns.contract.settings import Settings
from patterns.observability import lifecycle
from patterns.redis_store.fields import delivery_fields, flatten, from_fields
from patterns.redis_store.keys import Keys
from patterns.redis_store.records import unavailable_on_error
from patterns.tasks.record import Record
from patterns.tasks.store import NotADeadLetter

#: A lease is longer than an attempt may take by this much.
_LEASE_MARGIN_SECONDS = 5.0
#: How many outcomes one call of `due` returns.
_DUE_LIMIT = 100

#: KEYS: outbox. ARGV: now, lease, limit, prefix of a record's key. Returns task ids and attempts made, alternately.
DUE = """
local due = {}
for _, id in ipairs(redis.call('ZRANGE', KEYS[1], '-inf', ARGV[1], 'BYSCORE', 'LIMIT', 0, ARGV[3])) do
  redis.call('ZADD', KEYS[1], ARGV[1] + ARGV[2], id)
  due[#due + 1] = id
  due[#due + 1] = redis.call('HGET', ARGV[4] .. id, 'attempts_made') or '0'
end
return due
"""

#: KEYS: record, outbox. ARGV: task id, attempts made, now, lease. Returns the record's fields and values alternately,
#: or nothing if this attempt was already made, is being made, or the delivery has ended.
TAKE = """
if redis.call('HGET', KEYS[1], 'delivery') ~= 'waiting' then
  redis.call('ZREM', KEYS[2], ARGV[1])
  return {}
end
local known = redis.call('HMGET', KEYS[1], 'attempts_made', 'taken_until')
if (known[1] or '0') ~= ARGV[2] then return {} end
if known[2] and tonumber(known[2]) > tonumber(ARGV[3]) then return {} end
redis.call('HSET', KEYS[1], 'taken_until', ARGV[3] + ARGV[4])
redis.call('HDEL', KEYS[1], 'next_attempt_at')
redis.call('ZADD', KEYS[2], ARGV[3] + ARGV[4], ARGV[1])
return redis.call('HGETALL', KEYS[1])
"""

#: KEYS: record, outbox, dead letters, counters. ARGV: task id, attempts made before, state, when the next attempt is
#: due or the delivery was given up, then fields and values. Does nothing if another worker has recorded this attempt.
RECORD_ATTEMPT = """
if redis.call('EXISTS', KEYS[1]) == 0 then return redis.call('ZREM', KEYS[2], ARGV[1]) end
if (redis.call('HGET', KEYS[1], 'attempts_made') or '0') ~= ARGV[2] then return 0 end
redis.call('HINCRBY', KEYS[4], 'attempts:' .. ARGV[3], 1)
redis.call('HDEL', KEYS[1], 'taken_until', 'next_attempt_at', 'last_error')
redis.call('HSET', KEYS[1], unpack(ARGV, 5))
redis.call('ZREM', KEYS[2], ARGV[1])
if ARGV[3] == 'waiting' then
  redis.call('ZADD', KEYS[2], ARGV[4], ARGV[1])
elseif ARGV[3] == 'dead' then
  redis.call('ZADD', KEYS[3], ARGV[4], ARGV[1])
end
return 1
"""

#: KEYS: record, outbox, dead letters. ARGV: task id, now. Returns 1, or 0 if it is not a dead letter, or -1 if there is
#: no record.
REDELIVER = """
local state = redis.call('HGET', KEYS[1], 'delivery')
if redis.call('EXISTS', KEYS[1]) == 0 then return -1 end
if state ~= 'dead' then return 0 end
redis.call('HSET', KEYS[1], 'delivery', 'waiting', 'attempts_made', 0)
redis.call('HDEL', KEYS[1], 'last_error')
redis.call('ZREM', KEYS[3], ARGV[1])
redis.call('ZADD', KEYS[2], ARGV[2], ARGV[1])
return 1
"""


class Outbox:
    """The worker's side, with blocking calls, for any thread."""

    def __init__(self, settings: Settings, client: redis.Redis, keys: Keys) -> None:
        self._keys = keys
        self._lease = settings.webhook_timeout_seconds + _LEASE_MARGIN_SECONDS
        self._due = client.register_script(DUE)
        self._take = client.register_script(TAKE)
        self._record_attempt = client.register_script(RECORD_ATTEMPT)

    def due(self) -> list[tuple[str, int]]:
        """The tasks whose next attempt is due, each with the attempts made so far. Each is leased to this worker."""
        reply = self._due([self._keys.outbox], [time.time(), self._lease, _DUE_LIMIT, self._keys.record("")])
        return [(str(task_id), int(attempts)) for task_id, attempts in zip(reply[::2], reply[1::2], strict=True)]

    def take(self, task_id: str, attempts_made: int) -> Record | None:
        """Begin an attempt, and return the record. None if another worker makes or has made this attempt."""
        keys = [self._keys.record(task_id), self._keys.outbox]
        reply = self._take(keys, [task_id, attempts_made, time.time(), self._lease])
        return from_fields(task_id, dict(zip(reply[::2], reply[1::2], strict=True))) if reply else None

    def record_attempt(self, taken: Record, attempt: DeliveryAttempt, state: DeliveryState, pause: float = 0.0) -> None:
        """Store an attempt and the state of the delivery after it. If it waits, the next is due after `pause` s."""
        due, record, task_id = time.time() + pause, replace(taken), taken.task_id
        record.end_attempt(attempt, state, due if state is DeliveryState.WAITING else None)
        self._record_attempt(
            [self._keys.record(task_id), self._keys.outbox, self._keys.dead_letters, self._keys.counters],
            [task_id, taken.attempts_made, state, due, *flatten(delivery_fields(record))],
        )
        lifecycle.delivery_attempted(task_id, record.attempts_made, attempt, state)


class AsyncOutbox:
    """The web side: the list of dead letters, and their redelivery."""

    def __init__(self, client: AsyncRedis, keys: Keys) -> None:
        self._redis = client
        self._keys = keys
        self._redeliver = client.register_script(REDELIVER)

    async def dead_letters(self, limit: int) -> list[Task]:
        """The tasks whose delivery was given up, oldest first. Removes those whose record has expired."""
        with unavailable_on_error():
            ids: list[Any] = await self._redis.zrange(self._keys.dead_letters, 0, limit - 1)
            async with self._redis.pipeline(transaction=False) as pipeline:
                for task_id in ids:
                    pipeline.hgetall(self._keys.record(task_id))
                records = await pipeline.execute() if ids else []
            expired = [task_id for task_id, fields in zip(ids, records, strict=True) if not fields]
            if expired:
                await self._redis.zrem(self._keys.dead_letters, *expired)
        kept = [(task_id, fields) for task_id, fields in zip(ids, records, strict=True) if fields]
        return [from_fields(task_id, fields).task() for task_id, fields in kept]

    async def redeliver(self, task_id: str) -> bool:
        """Start the delivery of a dead letter again. False if there is no such task. Raises `NotADeadLetter`."""
        keys = [self._keys.record(task_id), self._keys.outbox, self._keys.dead_letters]
        with unavailable_on_error():
            reply = await self._redeliver(keys, [task_id, time.time()])
        if reply == 0:
            raise NotADeadLetter
        return bool(reply == 1)
