"""Tasks in a Redis store."""

from patterns.contract import Task
from patterns.redis_store.store import RedisStore
from patterns.tasks.store import new_task_id


async def create(store: RedisStore, body: str = "body", key: str | None = None) -> Task:
    """A new task."""
    task, _ = await store.create(new_task_id(), body, key)
    return task


async def known(store: RedisStore, task_id: str) -> Task:
    """The task, which the store must know."""
    task = await store.get(task_id)
    assert task is not None
    return task
