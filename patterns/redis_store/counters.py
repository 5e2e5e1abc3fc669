"""The counters of tasks and deliveries in Redis: one hash, which the scripts that change a record keep true.

So they outlive every process, and are the same in each of them.
"""

from collections import Counter
from collections.abc import Mapping

from redis.asyncio import Redis

from patterns.contract import DeliveryState, ErrorCode, TaskStatus
from patterns.observability.counters import BOUNDS, IN_REDIS, DeliveryCounters, Durations, TaskCounters
from patterns.redis_store.keys import Keys

#: Lua: counts a duration as `Durations.observe` does. The clocks of two machines may differ, so it may be below 0.
OBSERVE = f"""
local function observe(counters, name, seconds)
  local place = 0
  for i, bound in ipairs({{{", ".join(map(str, BOUNDS))}}}) do
    if seconds > bound then place = i end
  end
  redis.call('HINCRBY', counters, name .. ':' .. place, 1)
  redis.call('HINCRBYFLOAT', counters, name .. ':total', math.max(seconds, 0))
end
"""


async def read_task_counters(client: Redis, keys: Keys, alive_since: float) -> TaskCounters:
    """The counters of one moment. A worker whose last heartbeat was before `alive_since` does not count."""
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
    for name, times in fields.items():
        what, _, end = name.partition(":")
        if what == "finished":
            status, _, code = end.partition(":")
            counters.finished[TaskStatus(status), ErrorCode(code) if code else None] = int(times)
    return counters


async def read_delivery_counters(client: Redis, keys: Keys, kept_since: float) -> DeliveryCounters:
    """The counters of one moment. The record of a dead letter that is older than `kept_since` has expired."""
    async with client.pipeline(transaction=True) as pipeline:
        pipeline.zcard(keys.outbox)
        pipeline.zcount(keys.dead_letters, kept_since, "+inf")
        pipeline.hmget(keys.counters, [f"attempts:{state}" for state in DeliveryState])
        under_way, dead_letters, attempts = await pipeline.execute()
    counted = Counter({state: int(times or 0) for state, times in zip(DeliveryState, attempts, strict=True)})
    return DeliveryCounters(under_way, dead_letters, counted, IN_REDIS)


def _durations(fields: Mapping[str, str], name: str) -> Durations:
    counts = [int(fields.get(f"{name}:{place}", 0)) for place in range(len(BOUNDS) + 1)]
    return Durations(counts, float(fields.get(f"{name}:total", 0)))
