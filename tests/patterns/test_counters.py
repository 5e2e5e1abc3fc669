"""Counters: in this process, and in Redis, where the scripts that change a record count too."""

import time
from collections import Counter
from datetime import UTC, datetime
from types import SimpleNamespace
from uuid import uuid4

import pytest

from patterns.contract import DeliveryAttempt, DeliveryState, ErrorCode, TaskStatus
from patterns.contract.settings import Settings
from patterns.observability.counters import BOUNDS, Durations
from patterns.redis_store.store import RedisStore
from patterns.redis_store.worker_records import WorkerRecords
from patterns.tasks.memory_store import MemoryStore
from patterns.tasks.record import Record
from patterns.tasks.store import new_task_id
from tests.patterns.clock import Clock


@pytest.fixture
def settings() -> Settings:
    """Each test gets its own keys."""
    return Settings(key_prefix=f"test-{uuid4().hex}:")


async def deliver(store: RedisStore, worker: WorkerRecords, state: DeliveryState) -> Record:
    """A finished task, as it was when its only delivery attempt began."""
    task, _ = await store.create(new_task_id(), "body", callback_url="https://example.com/hook")
    worker.complete(task.task_id, "result")
    (due,) = worker.outbox.due()
    record = worker.outbox.take(*due)
    assert record is not None
    worker.outbox.record_attempt(record, DeliveryAttempt(at=datetime.now(UTC)), state)
    return record


async def create(store: RedisStore) -> str:
    """The id of a new task."""
    task, _ = await store.create(new_task_id(), "body")
    return task.task_id


@pytest.mark.parametrize(("seconds", "place"), [(0, 0), (0.01, 0), (0.011, 1), (1800, 14), (1801, 15), (1e9, 15)])
def test_a_duration_falls_into_the_first_bucket_that_holds_it(seconds: float, place: int) -> None:
    durations = Durations()

    durations.observe(seconds)

    assert [n for n, count in enumerate(durations.counts) if count] == [place]
    assert durations.total == seconds


async def test_in_memory_durations_are_derived_from_the_times_of_a_task() -> None:
    clock = Clock()
    store = MemoryStore(limit=10, ttl=60, clock=clock)
    task, _ = store.create("body")
    clock.pass_by(20)
    store.start(task.task_id)
    clock.pass_by(200)
    store.fail(task.task_id, ErrorCode.TIMEOUT, "too long")

    counters = await store.task_counters()

    assert counters.queue_wait.counts[BOUNDS.index(30.0)] == 1
    assert counters.execution.counts[BOUNDS.index(300.0)] == 1
    assert (counters.queue_wait.total, counters.execution.total) == (20, 200)
    assert counters.finished == {(TaskStatus.FAILED, ErrorCode.TIMEOUT): 1}


async def test_in_memory_the_counters_stay_when_the_records_expire() -> None:
    clock = Clock()
    store = MemoryStore(limit=10, ttl=60, clock=clock)
    task, _ = store.create("body")
    store.complete(task.task_id, "result")
    clock.pass_by(61)
    assert await store.get(task.task_id) is None

    counters = await store.task_counters()

    assert counters.finished.total() == 1
    assert (counters.pending, counters.running) == (0, 0)


async def test_an_empty_redis_has_counters_too(store: RedisStore) -> None:
    counters = await store.task_counters()

    assert (counters.pending, counters.running, counters.workers) == (0, 0, 0)
    assert counters.finished.total() == 0
    assert sum(counters.queue_wait.counts) == 0


async def test_a_second_run_of_a_task_is_not_counted_as_another_wait(store: RedisStore, worker: WorkerRecords) -> None:
    task_id = await create(store)
    worker.start(task_id, 3)
    worker.undo_start(task_id)
    worker.start(task_id, 3)

    while_it_runs = await store.task_counters()
    worker.complete(task_id, "result")
    worker.complete(task_id, "result")
    after = await store.task_counters()

    assert (while_it_runs.pending, while_it_runs.running) == (0, 1)
    assert sum(while_it_runs.queue_wait.counts) == 1
    assert (after.pending, after.running) == (0, 0)
    assert after.finished == {(TaskStatus.COMPLETED, None): 1}
    assert sum(after.execution.counts) == 1
    assert after.execution.total > 0


async def test_a_task_whose_worker_died_too_often_is_counted_as_lost(store: RedisStore, worker: WorkerRecords) -> None:
    task_id = await create(store)
    for _ in range(3):
        worker.start(task_id, 2)

    counters = await store.task_counters()

    assert counters.finished == {(TaskStatus.FAILED, ErrorCode.WORKER_LOST): 1}
    assert counters.running == 0


async def test_a_task_that_could_not_be_published_is_not_counted(store: RedisStore, worker: WorkerRecords) -> None:
    task_id = await create(store)
    worker.start(task_id, 3)  # its message arrived after all
    await store.forget(task_id)
    worker.complete(task_id, "result")

    counters = await store.task_counters()

    assert (counters.pending, counters.running) == (0, 0)
    assert counters.finished.total() == 0


def _let_it_tell_the_time(monkeypatch: pytest.MonkeyPatch, clock: Clock) -> None:
    fake_time = SimpleNamespace(time=clock, monotonic=time.monotonic)
    for module in ("store", "worker_records"):
        monkeypatch.setattr(f"patterns.redis_store.{module}.time", fake_time)


async def test_redis_sorts_durations_as_python_does(
    store: RedisStore, worker: WorkerRecords, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock, expected = Clock(), Durations()
    _let_it_tell_the_time(monkeypatch, clock)
    for seconds in (0.0, 0.25, 1.5, 300.0, 10_000.0):
        task_id = await create(store)
        clock.pass_by(seconds)
        worker.start(task_id, 3)
        clock.pass_by(seconds)
        worker.complete(task_id, "result")
        expected.observe(seconds)

    counters = await store.task_counters()

    assert counters.queue_wait.counts == expected.counts
    assert counters.execution.counts == expected.counts
    assert counters.execution.total == pytest.approx(expected.total)


async def test_no_duration_is_negative_if_a_clock_is_behind(
    store: RedisStore, worker: WorkerRecords, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = Clock()
    _let_it_tell_the_time(monkeypatch, clock)
    task_id = await create(store)
    clock.pass_by(-5)
    worker.start(task_id, 3)

    counters = await store.task_counters()

    assert counters.queue_wait.counts[0] == 1
    assert counters.queue_wait.total == 0


async def test_in_redis_an_attempt_that_is_recorded_twice_is_counted_once(
    store: RedisStore, worker: WorkerRecords
) -> None:
    await deliver(store, worker, DeliveryState.DELIVERED)
    record = await deliver(store, worker, DeliveryState.WAITING)
    worker.outbox.record_attempt(record, DeliveryAttempt(at=datetime.now(UTC)), DeliveryState.WAITING)

    counters = await store.delivery_counters()

    assert counters.attempts == Counter({DeliveryState.DELIVERED: 1, DeliveryState.WAITING: 1})
    assert (counters.under_way, counters.dead_letters) == (1, 0)


async def test_a_dead_letter_is_counted_until_its_record_has_expired(
    store: RedisStore, worker: WorkerRecords, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    await deliver(store, worker, DeliveryState.DEAD)

    kept = await store.delivery_counters()
    later = time.time() + settings.task_ttl_seconds + 1
    monkeypatch.setattr(
        "patterns.redis_store.store.time", SimpleNamespace(time=lambda: later, monotonic=time.monotonic)
    )
    expired = await store.delivery_counters()

    assert (kept.under_way, kept.dead_letters) == (0, 1)
    assert expired.dead_letters == 0
    assert expired.attempts == Counter({DeliveryState.DEAD: 1})
