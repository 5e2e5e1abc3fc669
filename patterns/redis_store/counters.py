"""The counters of tasks and deliveries in Redis: one hash, updated by the scripts that change a record.

They outlive every process, and are the same in all of them.
"""

from collections import Counter
from collections.abc import Mapping

from redis.asyncio import Redis

from patterns.contract import DeliveryState, ErrorCode, TaskStatus
from patterns.observability.counters import BOUNDS, IN_REDIS, DeliveryCounters, Durations, TaskCounters
from patterns.redis_store.keys import Keys

#: Lua: adds a duration to a histogram, as `Durations.observe` does. It may be negative if the clocks of hosts differ.
OBSERVE = f"""
local function observe(counters, name, seconds)
  local bucket = 0
  for i, bound in ipairs({{{", ".join(map(str, BOUNDS))}}}) do
    if seconds > bound then bucket = i end
  end
  redis.call('HINCRBY', counters, name .. ':' .. bucket, 1)
  redis.call('HINCRBYFLOAT', counters, name .. ':total', math.max(seconds, 0))
end
"""


async def read_task_counters(client: Redis, keys: Keys, alive_since: float) -> TaskCounters:
    """The counters of the tasks, read in one transaction. A worker counts if its last heartbeat is after `alive_since`.

    Times are in seconds since the epoch.
    """
    async with client.pipeline(transaction=True) as pipeline:
        pipeline.zcard(keys.unfinished)
        pipeline.scard(keys.running)
        pipeline.zcount(keys.workers, alive_since, "+inf")
        pipeline.hgetall(keys.counters)
        unfinished, running, workers, fields = await pipeline.execute()
    counters = TaskCounters(
        pending=unfinished - running,
        running=running,
        queue_wait=_durations(fields, "queue_wait"),
        execution=_durations(fields, "execution"),
        workers=workers,
        counted=IN_REDIS,
    )
    for field, count in fields.items():
        name, _, labels = field.partition(":")
        if name == "finished":
            status, _, code = labels.partition(":")
            counters.finished[TaskStatus(status), ErrorCode(code) if code else None] = int(count)
    return counters


async def read_delivery_counters(client: Redis, keys: Keys, kept_since: float) -> DeliveryCounters:
    """The counters of the deliveries, read in one transaction. A dead letter older than `kept_since` has expired."""
    async with client.pipeline(transaction=True) as pipeline:
        pipeline.zcard(keys.outbox)
        pipeline.zcount(keys.dead_letters, kept_since, "+inf")
        pipeline.hmget(keys.counters, [f"attempts:{state}" for state in DeliveryState])
        under_way, dead_letters, attempts = await pipeline.execute()
    by_state = Counter({state: int(count or 0) for state, count in zip(DeliveryState, attempts, strict=True)})
    return DeliveryCounters(under_way, dead_letters, by_state, IN_REDIS)


def _durations(fields: Mapping[str, str], name: str) -> Durations:
    counts = [int(fields.get(f"{name}:{bucket}", 0)) for bucket in range(len(BOUNDS) + 1)]
    return Durations(counts, float(fields.get(f"{name}:total", 0)))
