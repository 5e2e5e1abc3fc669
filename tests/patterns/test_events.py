"""The history of a task's changes, and the streams that follow it, in both stores."""

import asyncio

import pytest

from patterns.contract import ErrorCode
from patterns.contract.settings import Settings
from patterns.redis_store.store import RedisStore
from patterns.redis_store.worker_records import WorkerRecords
from patterns.serving.redis_server import RedisServer
from patterns.tasks.events import Event, EventStore, change_number, follow
from patterns.tasks.memory_store import MemoryStore
from patterns.tasks.record import CHANGES_KEPT, HISTORY_SECONDS
from patterns.tasks.store import Unavailable
from tests.patterns.clock import Clock
from tests.patterns.redis_keys import Keys
from tests.patterns.stores_under_test import InMemory, InRedis, Subject
from tests.support.waiting import PATIENCE_SECONDS


@pytest.fixture(params=["memory", "redis"])
def subject(request: pytest.FixtureRequest, store: RedisStore, worker: WorkerRecords) -> Subject:
    """Each store in turn."""
    return InMemory(Clock()) if request.param == "memory" else InRedis(store, worker)


async def collected(store: EventStore, task_id: str, seen: int | None = None) -> list[Event]:
    """All events until the stream ends."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        return [event async for event in follow(store, task_id, seen)]


async def test_a_change_that_clients_cannot_see_is_no_event(subject: Subject) -> None:
    task_id = await subject.create(None)
    subject.start(task_id)
    for percent, message in [(40, "page 1"), (40, "page 1"), (30, None), (40, None), (30, "page 1")]:
        subject.progress(task_id, percent, message)
    subject.complete(task_id)

    seen = await collected(subject.store, task_id, 0)

    assert [(event.id, event.task.status, event.task.progress) for event in seen] == [
        (1, "running", 0),
        (2, "running", 40),
        (3, "completed", 100),
    ]


async def test_earlier_events_know_nothing_of_what_came_later(subject: Subject) -> None:
    task_id = await subject.create("https://example.com/hook")
    subject.start(task_id)
    before = await subject.store.get(task_id)
    subject.progress(task_id, 40, "page 1")
    subject.complete(task_id)

    assert (await collected(subject.store, task_id, 0))[0].task == before


async def test_a_history_is_bounded(subject: Subject) -> None:
    task_id = await subject.create(None)
    subject.start(task_id)
    for page in range(CHANGES_KEPT):
        subject.progress(task_id, 50, f"page {page}")
    subject.fail(task_id)
    last = CHANGES_KEPT + 2

    assert [event.id for event in await collected(subject.store, task_id, 0)] == [last]
    assert [event.id for event in await collected(subject.store, task_id, 1)] == list(range(2, last + 1))


async def test_a_stream_wakes_at_each_change(subject: Subject) -> None:
    task_id = await subject.create(None)
    async with asyncio.timeout(PATIENCE_SECONDS):
        events = follow(subject.store, task_id, None)
        assert (await anext(events)).task.status == "pending"
        for number, step in enumerate([subject.start, subject.complete], start=1):
            arriving = asyncio.ensure_future(anext(events))
            await asyncio.sleep(0)
            step(task_id)
            assert (await arriving).id == number
        assert await anext(events, None) is None


async def test_an_unknown_task_has_no_events(subject: Subject) -> None:
    assert await collected(subject.store, "unknown") == []


async def test_a_history_is_kept_for_a_minute_after_the_outcome() -> None:
    clock = Clock()
    memory = InMemory(clock)
    task_id = await memory.create(None)
    memory.start(task_id)
    memory.complete(task_id)

    clock.pass_by(HISTORY_SECONDS - 1)
    assert [event.id for event in await collected(memory.store, task_id, 0)] == [1, 2]
    clock.pass_by(1)
    assert [event.id for event in await collected(memory.store, task_id, 0)] == [2]


async def test_a_history_in_redis_expires_after_a_minute(
    settings: Settings, redis_server: RedisServer, keys: Keys
) -> None:
    longer = settings.model_copy(update={"task_ttl_seconds": 3600.0})
    worker = WorkerRecords(longer, redis_server.url)
    store = RedisStore(longer, redis_server.url)
    async with store.listening():
        task_id = await InRedis(store, worker).create(None)
        worker.start(task_id, 3)
        worker.complete(task_id, "done")
        assert 0 < (keys.expire_in(f"history:{task_id}") or 0) <= HISTORY_SECONDS
        assert (keys.expire_in(f"task:{task_id}") or 0) > HISTORY_SECONDS

        keys.expire(f"history:{task_id}")

        assert [event.id for event in await collected(store, task_id, 0)] == [2]


async def test_a_forgotten_task_leaves_no_history(store: RedisStore, worker: WorkerRecords, keys: Keys) -> None:
    task_id = await InRedis(store, worker).create(None)
    worker.start(task_id, 3)

    await store.forget(task_id)

    assert keys.all() <= {"counters", "workers"}


async def test_a_stream_goes_on_when_redis_was_away(store: RedisStore, worker: WorkerRecords) -> None:
    task_id = await InRedis(store, worker).create(None)
    read, refusals = store.changes, iter([True, True])

    async def away_at_first(task_id: str, seen: int | None = None) -> object:
        if next(refusals, False):
            raise Unavailable("away")
        return await read(task_id, seen)

    store.changes = away_at_first  # type: ignore[method-assign,assignment]
    worker.fail(task_id, ErrorCode.AGENT_ERROR, "the error")

    assert [event.task.status for event in await collected(store, task_id)] == ["failed"]


async def test_a_drain_ends_the_streams_of_a_web_process(store: RedisStore, worker: WorkerRecords) -> None:
    task_id = await InRedis(store, worker).create(None)
    events = follow(store, task_id, None)
    await anext(events)
    arriving = asyncio.ensure_future(anext(events, None))
    await asyncio.sleep(0)

    await store.drain()

    assert await asyncio.wait_for(arriving, PATIENCE_SECONDS) is None


async def test_a_stream_that_is_closed_leaves_nothing_behind() -> None:
    store = MemoryStore(limit=2, ttl=3600)
    task, _ = store.create("prompt")
    events = follow(store, task.task_id, None)
    await anext(events)

    await events.aclose()

    with store.streams.waiting("another"):
        assert set(store.streams._events) == {"another"}


@pytest.mark.parametrize(
    ("event_id", "number"),
    [("0", 0), ("17", 17), (None, None), ("", None), ("x", None), ("-1", None), ("1.5", None), ("1" * 10, None)],
)
def test_the_id_of_an_event_is_the_number_of_its_change(event_id: str | None, number: int | None) -> None:
    assert change_number(event_id) == number
