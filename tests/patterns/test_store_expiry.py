"""Records in memory: how they expire, and what that costs."""

import asyncio
import sys
from collections.abc import Callable, Coroutine
from datetime import UTC, datetime
from types import FrameType
from typing import Any

import pytest

from patterns.contract import DeliveryAttempt, DeliveryState, ErrorCode
from patterns.tasks import expiry, memory_store
from patterns.tasks.memory_store import MemoryStore
from tests.patterns.clock import Clock

HOOK = "https://example.com/hook"


@pytest.fixture
def clock() -> Clock:
    """A clock that the test sets."""
    return Clock()


def finished(store: MemoryStore, key: str | None = None, callback_url: str | None = None) -> str:
    """The id of a task that has just been completed."""
    task, _ = store.create("body", key, callback_url)
    store.start(task.task_id)
    store.complete(task.task_id, "result")
    return task.task_id


async def test_a_finished_record_is_kept_for_its_time_and_no_longer(clock: Clock) -> None:
    store = MemoryStore(limit=10, ttl=60, clock=clock)
    task_id = finished(store)

    clock.pass_by(59.9)
    assert await store.get(task_id) is not None
    clock.pass_by(0.1)

    assert await store.get(task_id) is None
    assert await store.wait(task_id, 5) is None
    assert await store.cancel(task_id) is None
    assert len(store) == 0


async def test_its_time_begins_when_it_finishes(clock: Clock) -> None:
    store = MemoryStore(limit=10, ttl=60, clock=clock)
    task, _ = store.create("body")
    clock.pass_by(1000)
    assert await store.get(task.task_id) is not None
    store.fail(task.task_id, ErrorCode.TIMEOUT, "too long")

    clock.pass_by(59)

    assert await store.get(task.task_id) is not None


async def test_an_unfinished_record_is_never_forgotten(clock: Clock) -> None:
    store = MemoryStore(limit=10, ttl=60, clock=clock)
    waiting, _ = store.create("waiting", "key")
    running, _ = store.create("running")
    store.start(running.task_id)

    clock.pass_by(1e9)

    assert await store.get(waiting.task_id) is not None
    assert await store.get(running.task_id) is not None
    assert store.create("waiting", "key")[1] is False


async def test_a_key_is_forgotten_with_its_record(clock: Clock) -> None:
    store = MemoryStore(limit=10, ttl=60, clock=clock)
    finished(store, "key")
    clock.pass_by(60)

    _, new = store.create("another body", "key")

    assert new


async def test_a_delivery_is_forgotten_with_its_record(clock: Clock) -> None:
    store = MemoryStore(limit=10, ttl=60, clock=clock)
    failed = DeliveryAttempt(at=datetime.now(UTC), error="ConnectError")
    dead, waiting = finished(store, callback_url=HOOK), finished(store, callback_url=HOOK)
    store.record_attempt(dead, failed, DeliveryState.DEAD)
    store.record_attempt(waiting, failed, DeliveryState.WAITING, pause=3600)
    clock.pass_by(30)
    kept = finished(store, callback_url=HOOK)
    store.record_attempt(kept, failed, DeliveryState.DEAD)

    clock.pass_by(30)

    assert store.take(waiting) is None
    assert await store.redeliver(dead) is None
    assert [task.task_id for task in await store.dead_letters(10)] == [kept]
    counters = await store.delivery_counters()
    assert (counters.under_way, counters.dead_letters) == (0, 1)
    store.record_attempt(waiting, failed, DeliveryState.DEAD)  # the attempt was under way when the record expired
    assert [task.task_id for task in await store.dead_letters(10)] == [kept]


async def test_memory_does_not_grow_with_the_tasks_of_the_past(clock: Clock) -> None:
    store = MemoryStore(limit=10, ttl=60, clock=clock)

    for _ in range(1000):
        finished(store)
        clock.pass_by(1)

    assert len(store) <= 61


def steps(call: Callable[[], Coroutine[Any, Any, object]]) -> int:
    """How many lines of the store a call runs: its cost, independent of the machine."""
    lines = 0

    def trace(frame: FrameType, event: str, argument: object) -> Any:
        nonlocal lines
        if frame.f_code.co_filename not in {memory_store.__file__, expiry.__file__}:
            return None
        lines += event == "line"
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        call().send(None)
    except StopIteration:
        pass
    finally:
        sys.settrace(before)
    return lines


async def test_forgetting_one_record_looks_at_no_other(clock: Clock) -> None:
    costs = []
    for kept in (10, 10_000):
        store = MemoryStore(limit=kept, ttl=60, clock=clock)
        expiring = finished(store)
        clock.pass_by(30)
        for _ in range(kept):
            finished(store)
        clock.pass_by(30)
        clock.read = 0

        costs.append((steps(lambda store=store, task_id=expiring: store.get(task_id)), clock.read))  # type: ignore[misc]  # mypy infers no default of a lambda
        assert len(store) == kept

    assert costs[0] == costs[1]
    assert costs[0][0] > 0


async def test_a_request_does_not_wait_until_all_that_expired_are_forgotten(clock: Clock) -> None:
    costs = []
    for expired in (1_000, 10_000):
        store = MemoryStore(limit=10, ttl=60, clock=clock)
        ids = [finished(store, f"key {number}") for number in range(expired)]
        clock.pass_by(60)

        costs.append(steps(lambda store=store, last=ids[-1]: store.get(last)))  # type: ignore[misc]  # mypy infers no default of a lambda
        assert 0 < len(store) < expired

    assert costs[0] == costs[1]


async def test_an_expired_record_is_gone_for_its_client_before_it_is_forgotten(clock: Clock) -> None:
    store = MemoryStore(limit=10, ttl=60, clock=clock)
    ids = [finished(store, f"key {number}") for number in range(1_000)]
    clock.pass_by(60)

    assert await store.get(ids[-1]) is None
    assert await store.wait(ids[-2], 5) is None
    assert await store.cancel(ids[-3]) is None
    _, new = store.create("another body", "key 996")

    assert new
    assert len(store) > 1
    for _ in range(20):
        await asyncio.sleep(0)
    assert len(store) == 1  # the new task: the key that came again is its own
    assert store.create("another body", "key 996")[1] is False


async def test_expired_records_are_forgotten_without_another_request(clock: Clock) -> None:
    store = MemoryStore(limit=10, ttl=60, clock=clock)
    for _ in range(1_000):
        finished(store)
    clock.pass_by(60)

    await store.get("x")
    for _ in range(20):
        await asyncio.sleep(0)

    assert len(store) == 0
