"""The outcomes that are still to be delivered, in Redis: an outbox that no crash can empty.

The script that finishes a task puts its id here in the same moment. A worker that finds it due may have it sent, and
owns it for a while only (a lease): if it dies in the middle, another takes over. So an outcome is delivered at least
once, and the same `webhook-id` on every attempt lets its receiver drop what comes twice.
"""

import time
from dataclasses import replace
from typing import Any

import redis
from redis.asyncio import Redis as AsyncRedis

from patterns.contract import DeliveryAttempt, DeliveryState, Task
from patterns.contract.settings import Settings
from patterns.observability import lifecycle
from patterns.redis_store.fields import delivery_fields, flat, from_fields
from patterns.redis_store.keys import Keys
from patterns.redis_store.records import reaching
from patterns.tasks.record import Record
from patterns.tasks.store import NotADeadLetter

#: How much longer than an attempt may take it belongs to the worker that has it.
_LEASE_MORE_SECONDS = 5.0
#: Handed out at once. What is left is handed out a moment later.
_MOST_AT_ONCE = 100

#: KEYS: outbox. ARGV: now, lease, most, prefix of a record's key. Returns pairs of task id and attempts made.
DUE = """
local found = {}
for _, id in ipairs(redis.call('ZRANGE', KEYS[1], '-inf', ARGV[1], 'BYSCORE', 'LIMIT', 0, ARGV[3])) do
  redis.call('ZADD', KEYS[1], ARGV[1] + ARGV[2], id)
  found[#found + 1] = id
  found[#found + 1] = redis.call('HGET', ARGV[4] .. id, 'attempts_made') or '0'
end
return found
"""

#: KEYS: record, outbox. ARGV: task id, attempts made, now, lease. Returns the record's fields and values, or
#: nothing when this attempt was made already, is being made now, or is no longer wanted.
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

#: KEYS: record, outbox, dead letters, counters. ARGV: task id, attempts made before, state, when the next is due or it
#: was given up, then pairs of field and value. Nothing happens when another worker has noted the attempt.
NOTE = """
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

#: KEYS: record, outbox, dead letters. ARGV: task id, now. Returns 1, 0 when it is no dead letter, or -1 for no record.
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
    """The worker's side: plain calls, from any thread."""

    def __init__(self, settings: Settings, client: redis.Redis, keys: Keys) -> None:
        self._keys = keys
        self._lease = settings.webhook_timeout_seconds + _LEASE_MORE_SECONDS
        self._due = client.register_script(DUE)
        self._take = client.register_script(TAKE)
        self._note = client.register_script(NOTE)

    def due(self) -> list[tuple[str, int]]:
        """The tasks whose outcome is due, each with the attempts made so far. No other worker gets them now."""
        found = self._due([self._keys.outbox], [time.time(), self._lease, _MOST_AT_ONCE, self._keys.record("")])
        return [(str(task_id), int(attempts)) for task_id, attempts in zip(found[::2], found[1::2], strict=True)]

    def take(self, task_id: str, attempts_made: int) -> Record | None:
        """The record of an outcome that is to be delivered now, unless another worker has done it or is at it."""
        keys = [self._keys.record(task_id), self._keys.outbox]
        found = self._take(keys, [task_id, attempts_made, time.time(), self._lease])
        return from_fields(task_id, dict(zip(found[::2], found[1::2], strict=True))) if found else None

    def note(self, taken: Record, attempt: DeliveryAttempt, state: DeliveryState, pause: float = 0.0) -> None:
        """Note an attempt, and the state of the delivery after it. If it waits, the next is due after `pause` s."""
        due, record, task_id = time.time() + pause, replace(taken), taken.task_id
        record.attempted(attempt, state, due if state is DeliveryState.WAITING else None)
        self._note(
            [self._keys.record(task_id), self._keys.outbox, self._keys.dead_letters, self._keys.counters],
            [task_id, taken.attempts_made, state, due, *flat(delivery_fields(record))],
        )
        lifecycle.attempted(task_id, record.attempts_made, attempt, state)


class AsyncOutbox:
    """The web side: what was given up, and to have it delivered again."""

    def __init__(self, client: AsyncRedis, keys: Keys) -> None:
        self._redis = client
        self._keys = keys
        self._redeliver = client.register_script(REDELIVER)

    async def dead_letters(self, limit: int) -> list[Task]:
        """The tasks whose delivery was given up, oldest first. Those whose record has expired are removed."""
        with reaching("Redis"):
            ids: list[Any] = await self._redis.zrange(self._keys.dead_letters, 0, limit - 1)
            async with self._redis.pipeline(transaction=False) as pipeline:
                for task_id in ids:
                    pipeline.hgetall(self._keys.record(task_id))
                records = await pipeline.execute() if ids else []
            gone = [task_id for task_id, fields in zip(ids, records, strict=True) if not fields]
            if gone:
                await self._redis.zrem(self._keys.dead_letters, *gone)
        kept = [(task_id, fields) for task_id, fields in zip(ids, records, strict=True) if fields]
        return [from_fields(task_id, fields).task() for task_id, fields in kept]

    async def redeliver(self, task_id: str) -> bool:
        """Begin the delivery of a dead letter again; False if there is no such task. Raises `NotADeadLetter`."""
        keys = [self._keys.record(task_id), self._keys.outbox, self._keys.dead_letters]
        with reaching("Redis"):
            said = await self._redeliver(keys, [task_id, time.time()])
        if said == 0:
            raise NotADeadLetter
        return bool(said == 1)
