"""The outcomes that are still to be told, in Redis: an outbox that no crash can empty.

The script that finishes a task puts its id here in the same moment. Whoever finds it due may have it sent, and
owns it for a while only (a lease): one who dies in the middle leaves it to the next. So an outcome is told at
least once, and the same `webhook-id` on every attempt lets its receiver drop what comes twice.
"""

import json
import time
from dataclasses import dataclass
from typing import Any

import redis
from redis.asyncio import Redis as AsyncRedis

from patterns.contract import Task
from patterns.contract.settings import Settings
from patterns.observability import lifecycle
from patterns.observability.tracing import Carrier
from patterns.redis_store.keys import Keys
from patterns.redis_store.records import ATTEMPTS, reaching, task_of
from patterns.tasks.store import NotADeadLetter
from patterns.webhooks.attempt import ATTEMPTS_SHOWN, Attempted, what_next

#: How much longer than an attempt may take it belongs to whoever has it.
_LEASE_MORE_SECONDS = 5.0
#: Handed out at once. What is left is handed out a moment later.
_MOST_AT_ONCE = 100

#: KEYS: to tell. ARGV: now, lease, most, prefix of a record's key. Returns pairs of task id and attempts so far.
DUE = """
local found = {}
for _, id in ipairs(redis.call('ZRANGE', KEYS[1], '-inf', ARGV[1], 'BYSCORE', 'LIMIT', 0, ARGV[3])) do
  redis.call('ZADD', KEYS[1], ARGV[1] + ARGV[2], id)
  found[#found + 1] = id
  found[#found + 1] = redis.call('HGET', ARGV[4] .. id, 'attempted') or '0'
end
return found
"""

#: KEYS: record, to tell. ARGV: task id, attempts so far, now, lease. Returns the record's fields and values, or
#: nothing when this attempt was made already, is being made now, or is no longer wanted.
TAKE = """
if redis.call('HGET', KEYS[1], 'delivery') ~= 'waiting' then
  redis.call('ZREM', KEYS[2], ARGV[1])
  return {}
end
local known = redis.call('HMGET', KEYS[1], 'attempted', 'taken_until')
if (known[1] or '0') ~= ARGV[2] then return {} end
if known[2] and tonumber(known[2]) > tonumber(ARGV[3]) then return {} end
redis.call('HSET', KEYS[1], 'taken_until', ARGV[3] + ARGV[4])
redis.call('ZADD', KEYS[2], ARGV[3] + ARGV[4], ARGV[1])
return redis.call('HGETALL', KEYS[1])
"""

#: KEYS: record, to tell, dead letters, figures. ARGV: task id, attempts so far, state, when the next is due, now, the
#: attempts as shown, the last error or nothing. Nothing happens when the attempt was counted by another.
NOTE = """
if redis.call('EXISTS', KEYS[1]) == 0 then return redis.call('ZREM', KEYS[2], ARGV[1]) end
if (redis.call('HGET', KEYS[1], 'attempted') or '0') ~= ARGV[2] then return 0 end
redis.call('HINCRBY', KEYS[4], 'attempts:' .. ARGV[3], 1)
redis.call('HDEL', KEYS[1], 'taken_until', 'next_attempt_at', 'last_error')
redis.call('HSET', KEYS[1], 'attempted', ARGV[2] + 1, 'delivery', ARGV[3], 'attempts', ARGV[6])
if ARGV[7] ~= '' then redis.call('HSET', KEYS[1], 'last_error', ARGV[7]) end
redis.call('ZREM', KEYS[2], ARGV[1])
if ARGV[3] == 'waiting' then
  redis.call('HSET', KEYS[1], 'next_attempt_at', ARGV[4])
  redis.call('ZADD', KEYS[2], ARGV[4], ARGV[1])
elseif ARGV[3] == 'dead' then
  redis.call('ZADD', KEYS[3], ARGV[5], ARGV[1])
end
return 1
"""

#: KEYS: record, to tell, dead letters. ARGV: task id, now. Returns 1, 0 when it is no dead letter, or -1 for no record.
AGAIN = """
local state = redis.call('HGET', KEYS[1], 'delivery')
if redis.call('EXISTS', KEYS[1]) == 0 then return -1 end
if state ~= 'dead' then return 0 end
redis.call('HSET', KEYS[1], 'delivery', 'waiting', 'attempted', 0)
redis.call('HDEL', KEYS[1], 'last_error')
redis.call('ZREM', KEYS[3], ARGV[1])
redis.call('ZADD', KEYS[2], ARGV[2], ARGV[1])
return 1
"""


@dataclass(frozen=True)
class Outcome:
    """One that is to be told now."""

    task: Task
    url: str
    attempts: int  # so far
    carrier: Carrier
    _shown: str


class Outbox:
    """The worker's side: plain calls, from any thread."""

    def __init__(self, settings: Settings, client: redis.Redis, keys: Keys) -> None:
        self._settings = settings
        self._keys = keys
        self._lease = settings.webhook_timeout_seconds + _LEASE_MORE_SECONDS
        self._due = client.register_script(DUE)
        self._take = client.register_script(TAKE)
        self._note = client.register_script(NOTE)

    def due(self) -> list[tuple[str, int]]:
        """The tasks whose outcome is due to be told, each with its attempts so far, as nobody else gets them now."""
        found = self._due([self._keys.to_tell], [time.time(), self._lease, _MOST_AT_ONCE, self._keys.record("")])
        return [(str(task_id), int(attempts)) for task_id, attempts in zip(found[::2], found[1::2], strict=True)]

    def take(self, task_id: str, attempts: int) -> Outcome | None:
        """What to tell, unless somebody else has told it or is about to."""
        keys = [self._keys.record(task_id), self._keys.to_tell]
        found = self._take(keys, [task_id, attempts, time.time(), self._lease])
        if not found:
            return None
        fields: dict[str, str] = dict(zip(found[::2], found[1::2], strict=True))
        return Outcome(
            task_of(task_id, fields),
            fields["callback_url"],
            attempts,
            json.loads(fields.get("carrier", "{}")),
            fields.get("attempts", "[]"),
        )

    def note(self, outcome: Outcome, attempted: Attempted) -> None:
        """Write down what came of an attempt: told, given up, or due again."""
        now, number = time.time(), outcome.attempts + 1
        state, pause = what_next(self._settings, number, attempted)
        shown = [*ATTEMPTS.validate_json(outcome._shown), attempted.attempt][-ATTEMPTS_SHOWN:]
        task_id = outcome.task.task_id
        self._note(
            [self._keys.record(task_id), self._keys.to_tell, self._keys.dead_letters, self._keys.figures],
            [
                *(task_id, outcome.attempts, state, now + pause, now),
                *(ATTEMPTS.dump_json(shown).decode(), attempted.attempt.error or ""),
            ],
        )
        lifecycle.attempted(task_id, number, attempted.attempt, state)


class AsyncOutbox:
    """The web side: what was given up, and to have it told again."""

    def __init__(self, client: AsyncRedis, keys: Keys) -> None:
        self._redis = client
        self._keys = keys
        self._again = client.register_script(AGAIN)

    async def dead_letters(self, limit: int) -> list[Task]:
        """The tasks whose outcome could not be told, oldest first. Those whose record has expired are let go of."""
        with reaching("Redis"):
            ids: list[Any] = await self._redis.zrange(self._keys.dead_letters, 0, limit - 1)
            async with self._redis.pipeline(transaction=False) as pipeline:
                for task_id in ids:
                    pipeline.hgetall(self._keys.record(task_id))
                records = await pipeline.execute() if ids else []
            gone = [task_id for task_id, fields in zip(ids, records, strict=True) if not fields]
            if gone:
                await self._redis.zrem(self._keys.dead_letters, *gone)
        return [task_of(task_id, fields) for task_id, fields in zip(ids, records, strict=True) if fields]

    async def again(self, task_id: str) -> bool:
        """Let a dead letter be told again; False if there is no such task. Raises `NotADeadLetter`."""
        keys = [self._keys.record(task_id), self._keys.to_tell, self._keys.dead_letters]
        with reaching("Redis"):
            said = await self._again(keys, [task_id, time.time()])
        if said == 0:
            raise NotADeadLetter("Only a delivery that was given up can be sent again.")
        return bool(said == 1)
