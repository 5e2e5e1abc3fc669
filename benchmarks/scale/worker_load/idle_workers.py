"""Many idle workers of `celery_queue`, simulated: each asks of Redis what a real one asks while it has nothing to do.

That is what Celery asks, and the kit's own look for outcomes that are due to be told. Its look for lost messages, twice
a minute, is left out.
"""

import asyncio
import time
from multiprocessing.synchronize import Event
from typing import Any

from redis.asyncio import Redis as AsyncRedis

from patterns.redis_store.outbox import DUE


def simulate(url: str, workers: int, look: float, over: Event) -> None:
    """Until it is over, ask of Redis what so many idle workers ask."""

    async def idle(number: int) -> None:
        client: Any = AsyncRedis.from_url(url, socket_connect_timeout=60, socket_timeout=60)
        due = client.register_script(DUE)
        async with few_at_once:
            await client.ping()
        await asyncio.sleep(number / workers)  # not all at the same moment
        beat, next_look = 0, time.monotonic() + look * number / workers
        while not over.is_set():
            await client.brpop("kit:nothing-is-ever-here", timeout=1)
            if time.monotonic() >= next_look:
                next_look += look
                lock = client.lock("kit:simulated-mutex", timeout=5)
                if await lock.acquire(blocking=False):
                    await client.zrange("kit:unacked_index", 0, 10)
                    await lock.release()
            if (beat := beat + 1) % 2 == 0:
                await client.zadd("kit:workers", {f"simulated-{number}": time.time()})
                await client.publish("kit:simulated-events", "worker-heartbeat")
                await due(["kit:to-tell"], [time.time(), 15, 100, "kit:task:"])
        await client.aclose()

    few_at_once = asyncio.Semaphore(50)

    async def all_of_them() -> None:
        async with asyncio.TaskGroup() as group:
            for number in range(workers):
                group.create_task(idle(number))

    asyncio.run(all_of_them())
