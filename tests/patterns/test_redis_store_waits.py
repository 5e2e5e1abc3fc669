"""Records in Redis: waiting for a change, health, and what happens when the server stops or Redis is away."""

import asyncio
import time

import pytest

from patterns.contract import TaskStatus
from patterns.contract.settings import Settings
from patterns.redis_store.store import RedisStore
from patterns.redis_store.worker_records import WorkerRecords
from patterns.tasks.store import Unavailable
from tests.patterns.redis_tasks import create


async def test_a_wait_ends_as_soon_as_a_worker_finishes_the_task(store: RedisStore, worker: WorkerRecords) -> None:
    task = await create(store)
    waits = [asyncio.create_task(store.wait(task.task_id, 3600)) for _ in range(3)]
    await asyncio.sleep(0.05)
    worker.start(task.task_id, 3)

    worker.complete(task.task_id, "result")

    async with asyncio.timeout(30):
        seen = await asyncio.gather(*waits)
    assert [task.status for task in seen if task] == [TaskStatus.COMPLETED] * 3


async def test_a_wait_ends_at_its_timeout(store: RedisStore) -> None:
    task = await create(store)

    assert await store.wait(task.task_id, 0.05) == task


async def test_a_stop_answers_every_wait_and_accepts_no_more(store: RedisStore) -> None:
    task = await create(store)
    wait = asyncio.create_task(store.wait(task.task_id, 3600))
    await asyncio.sleep(0.05)

    await store.drain()

    async with asyncio.timeout(30):
        assert await wait == task
    with pytest.raises(Unavailable):
        await create(store)
    with pytest.raises(Unavailable):
        await store.check()


async def test_health_needs_a_heartbeat_of_a_worker(store: RedisStore, worker: WorkerRecords) -> None:
    with pytest.raises(Unavailable, match="worker"):
        await store.check()

    worker.heartbeat("worker@here")
    await store.check()
    worker.remove_worker("worker@here")

    with pytest.raises(Unavailable, match="worker"):
        await store.check()


async def test_a_worker_that_is_silent_for_long_is_not_counted(
    store: RedisStore, worker: WorkerRecords, monkeypatch: pytest.MonkeyPatch
) -> None:
    worker.heartbeat("worker@here")
    later = time.time() + 60

    monkeypatch.setattr(time, "time", lambda: later)

    with pytest.raises(Unavailable, match="worker"):
        await store.check()


async def test_without_redis_every_method_raises_in_time(settings: Settings) -> None:
    store = RedisStore(settings, "redis://127.0.0.1:1/0")

    async with asyncio.timeout(30):
        for call in (create(store), store.get("x"), store.wait("x", 1), store.cancel("x"), store.check()):
            with pytest.raises(Unavailable):
                await call
