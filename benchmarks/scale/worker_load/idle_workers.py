"""Many simulated idle workers of `celery_queue`: each sends the commands that a real worker sends while it idles.

These are Celery's own, and the kit's query for deliveries that are due. The search for lost messages, twice a minute,
is omitted.
"""

import asyncio
import time
from multiprocessing.synchronize import Event
from typing import Any

from redis.asyncio import Redis as AsyncRedis

from patterns.redis_store.outbox import DUE


def simulate(url: str, workers: int, interval: float, over: Event) -> None:
    """Send the commands of `workers` idle workers until `over` is set."""

    async def idle(number: int) -> None:
        client: Any = AsyncRedis.from_url(url, socket_connect_timeout=60, socket_timeout=60)
        due = client.register_script(DUE)
        async with few_at_once:
            await client.ping()
        await asyncio.sleep(number / workers)  # not all at the same moment
        beat, next_sweep = 0, time.monotonic() + interval * number / workers
        while not over.is_set():
            await client.brpop("kit:nothing-is-ever-here", timeout=1)
            if time.monotonic() >= next_sweep:
                next_sweep += interval
                lock = client.lock("kit:simulated-mutex", timeout=5)
                if await lock.acquire(blocking=False):
                    await client.zrange("kit:unacked_index", 0, 10)
                    await lock.release()
            if (beat := beat + 1) % 2 == 0:
                await client.zadd("kit:workers", {f"simulated-{number}": time.time()})
                await client.publish("kit:simulated-events", "worker-heartbeat")
                await due(["kit:outbox"], [time.time(), 15, 100, "kit:task:"])
        await client.aclose()

    few_at_once = asyncio.Semaphore(50)

    async def all_of_them() -> None:
        async with asyncio.TaskGroup() as group:
            for number in range(workers):
                group.create_task(idle(number))

    asyncio.run(all_of_them())
