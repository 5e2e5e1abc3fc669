"""The loop that delivers outcomes, without a server: a delivery that breaks does not affect the others."""

import asyncio
from datetime import UTC, datetime

import pytest

from patterns.contract import DeliveryAttempt, DeliveryState, WebhookTask
from patterns.contract.settings import Settings
from patterns.tasks.memory_store import MemoryStore
from patterns.tasks.record import Record
from patterns.webhook import Deliveries
from patterns.webhooks.sender import Attempt, Sender
from tests.webhooks.signing import SECRET

HOOK = "https://example.com/hook"


@pytest.fixture
def store() -> MemoryStore:
    """The records of the tasks whose outcome is delivered."""
    return MemoryStore(limit=10, ttl=3600)


def finished(store: MemoryStore) -> str:
    """The id of a task whose outcome is to be delivered."""
    task, _ = store.create("prompt", callback_url=HOOK)
    store.complete(task.task_id, "the result")
    return task.task_id


async def delivered(store: MemoryStore, task_id: str) -> WebhookTask:
    """The task as it is shown."""
    task = await store.get(task_id)
    assert isinstance(task, WebhookTask)
    return task


async def test_a_delivery_that_breaks_is_a_dead_letter_and_ends_no_other(
    store: MemoryStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken, fine = finished(store), finished(store)

    async def attempt(_: Sender, record: Record) -> Attempt:
        if record.task_id == broken:
            raise RuntimeError("a bug")
        return Attempt(DeliveryAttempt(at=datetime.now(UTC), status_code=204))

    monkeypatch.setattr(Sender, "attempt", attempt)
    deliveries = Deliveries(store, Settings(webhook_secret=SECRET))
    async with deliveries.running():
        await deliveries.drain(30)
        later = finished(store)
        async with asyncio.timeout(30):
            await store.outbox.join()

    assert [task.task_id for task in await store.dead_letters(10)] == [broken]
    for task_id in (fine, later):
        assert (await delivered(store, task_id)).delivery.state is DeliveryState.DELIVERED


async def test_a_stop_waits_for_a_delivery_that_hangs_once_and_no_longer_than_it_may(
    store: MemoryStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    began = asyncio.Event()

    async def attempt(_: Sender, record: Record) -> Attempt:
        began.set()
        await asyncio.Event().wait()
        raise AssertionError("it never ends")

    monkeypatch.setattr(Sender, "attempt", attempt)
    deliveries = Deliveries(store, Settings(webhook_secret=SECRET))
    async with asyncio.timeout(30), deliveries.running():
        task_id = finished(store)
        await began.wait()
        await deliveries.drain(0.01)
        await deliveries.drain(3600)  # does not wait again

    assert (await delivered(store, task_id)).delivery.state is DeliveryState.WAITING
