"""Records in memory: what happens to them when the server stops."""

import asyncio

import pytest

from patterns.contract import ErrorCode, TaskStatus
from patterns.tasks.memory_store import MemoryStore
from patterns.tasks.store import Unavailable


@pytest.fixture
def store() -> MemoryStore:
    """Room for ten tasks."""
    return MemoryStore(limit=10, ttl=60)


async def test_a_store_without_tasks_is_drained_immediately(store: MemoryStore) -> None:
    async with asyncio.timeout(5):
        await store.drain(3600)


async def test_a_drained_store_accepts_no_tasks(store: MemoryStore) -> None:
    await store.drain(0)

    with pytest.raises(Unavailable):
        store.create("body")
    with pytest.raises(Unavailable):
        await store.check()


async def test_draining_ends_when_the_last_task_is_finished(store: MemoryStore) -> None:
    first, second = store.create("first")[0], store.create("second")[0]
    draining = asyncio.create_task(store.drain(3600))
    await asyncio.sleep(0)

    store.complete(first.task_id, "result")
    await asyncio.sleep(0)
    assert not draining.done()
    store.complete(second.task_id, "result")

    async with asyncio.timeout(5):
        await draining


async def test_only_tasks_that_are_not_finished_in_time_have_failed(store: MemoryStore) -> None:
    done, running, waiting = (store.create(name)[0].task_id for name in ("done", "running", "waiting"))
    store.start(done)
    store.complete(done, "result")
    store.start(running)
    waiter = asyncio.create_task(store.wait(running, 30))
    await asyncio.sleep(0)

    await store.drain(0.01)

    for task in (await waiter, await store.get(waiting)):
        assert task is not None
        assert task.status is TaskStatus.FAILED
        assert task.error is not None
        assert task.error.code is ErrorCode.SHUTDOWN
    completed = await store.get(done)
    assert completed is not None
    assert completed.status is TaskStatus.COMPLETED


async def test_draining_twice_is_fine(store: MemoryStore) -> None:
    task, _ = store.create("body")
    await store.drain(0.01)

    await store.drain(0.01)

    failed = await store.get(task.task_id)
    assert failed is not None
    assert failed.status is TaskStatus.FAILED


async def test_what_a_task_does_after_the_end_changes_nothing(store: MemoryStore) -> None:
    task, _ = store.create("body")
    store.start(task.task_id)
    await store.drain(0)

    store.complete(task.task_id, "too late")

    failed = await store.get(task.task_id)
    assert failed is not None
    assert failed.status is TaskStatus.FAILED
    assert failed.result is None
