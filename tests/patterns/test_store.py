"""Records in memory: what is accepted, and which changes are possible."""

import asyncio

import pytest

from patterns.contract import ErrorCode, Task, TaskStatus
from patterns.tasks.memory_store import MemoryStore
from patterns.tasks.store import AlreadyFinished, KeyReused, QueueFull
from tests.patterns.clock import Clock


@pytest.fixture
def clock() -> Clock:
    """A clock that the test sets."""
    return Clock()


@pytest.fixture
def store(clock: Clock) -> MemoryStore:
    """Room for two tasks, which are kept for a minute."""
    return MemoryStore(limit=2, ttl=60, clock=clock)


async def known(store: MemoryStore, task_id: str) -> Task:
    """The task, which the store must know."""
    task = await store.get(task_id)
    assert task is not None
    return task


async def test_a_created_task_is_known_immediately_and_waits(store: MemoryStore) -> None:
    task, new = store.create("body")

    assert new
    assert await store.get(task.task_id) == task
    assert task.status is TaskStatus.PENDING
    assert task.progress == 0


async def test_an_id_that_was_never_issued_is_unknown(store: MemoryStore) -> None:
    assert await store.get("x") is None
    assert await store.wait("x", 5) is None
    assert await store.cancel("x") is None


async def test_task_ids_cannot_be_guessed() -> None:
    store = MemoryStore(limit=1000, ttl=60)

    ids = {store.create("body")[0].task_id for _ in range(1000)}

    assert len(ids) == 1000
    assert {len(task_id) for task_id in ids} == {32}


async def test_a_full_store_accepts_nothing(store: MemoryStore) -> None:
    store.create("one")
    store.create("two")

    with pytest.raises(QueueFull):
        store.create("three", "key")

    assert len(store) == 2


async def test_a_key_that_was_refused_by_a_full_store_is_still_free(store: MemoryStore) -> None:
    first, _ = store.create("one")
    store.create("two")
    with pytest.raises(QueueFull):
        store.create("three", "key")
    await store.cancel(first.task_id)

    _, new = store.create("another body", "key")

    assert new


async def test_every_way_to_finish_frees_the_place(store: MemoryStore) -> None:
    for finish in ("complete", "fail", "cancel"):
        task, _ = store.create("body")
        store.start(task.task_id)
        if finish == "complete":
            store.complete(task.task_id, "result")
        elif finish == "fail":
            store.fail(task.task_id, ErrorCode.AGENT_ERROR, "message")
        else:
            await store.cancel(task.task_id)

        assert store.unfinished == 0


async def test_a_known_key_gives_its_task_as_it_is_now(store: MemoryStore) -> None:
    first, _ = store.create("body", "key")
    store.start(first.task_id)
    store.complete(first.task_id, "result")

    again, new = store.create("body", "key")

    assert not new
    assert again == await store.get(first.task_id)
    assert again.status is TaskStatus.COMPLETED


async def test_a_known_key_is_not_refused_by_a_full_store(store: MemoryStore) -> None:
    first, _ = store.create("one", "key")
    store.create("two")

    again, new = store.create("one", "key")

    assert (again.task_id, new) == (first.task_id, False)


async def test_a_known_key_with_another_body_is_refused(store: MemoryStore) -> None:
    store.create("body", "key")

    with pytest.raises(KeyReused):
        store.create("another body", "key")


async def test_a_task_runs_once(store: MemoryStore) -> None:
    task, _ = store.create("body")

    assert store.start(task.task_id)
    assert not store.start(task.task_id)
    assert not store.start("x")


async def test_a_cancelled_task_does_not_start(store: MemoryStore) -> None:
    task, _ = store.create("body")
    await store.cancel(task.task_id)

    assert not store.start(task.task_id)


async def test_progress_never_goes_back_and_stays_within_100(store: MemoryStore) -> None:
    task, _ = store.create("body")
    store.start(task.task_id)
    seen = []

    for percent in (10, 40, 20, -5, 40, 99, 1000, 3):
        store.progress(task.task_id, percent)
        seen.append((await known(store, task.task_id)).progress)

    assert seen == [10, 40, 40, 40, 40, 99, 100, 100]


async def test_only_a_running_task_has_progress(store: MemoryStore) -> None:
    task, _ = store.create("body")
    store.progress(task.task_id, 50)
    assert (await known(store, task.task_id)).progress == 0

    store.start(task.task_id)
    store.fail(task.task_id, ErrorCode.TIMEOUT, "too long")
    store.progress(task.task_id, 50)
    store.progress("x", 50)
    assert (await known(store, task.task_id)).progress == 0


@pytest.mark.parametrize("first", ["complete", "fail", "cancel"])
async def test_a_finished_task_never_changes(store: MemoryStore, clock: Clock, first: str) -> None:
    task, _ = store.create("body")
    store.start(task.task_id)
    if first == "complete":
        store.complete(task.task_id, "the result")
    elif first == "fail":
        store.fail(task.task_id, ErrorCode.AGENT_ERROR, "the error")
    else:
        await store.cancel(task.task_id)
    finished = await known(store, task.task_id)
    clock.pass_by(5)

    store.complete(task.task_id, "another result")
    store.fail(task.task_id, ErrorCode.TIMEOUT, "another error")
    store.progress(task.task_id, 77)
    store.start(task.task_id)
    if first == "cancel":
        await store.cancel(task.task_id)
    else:
        with pytest.raises(AlreadyFinished):
            await store.cancel(task.task_id)

    assert await store.get(task.task_id) == finished
    assert store.unfinished == 0


async def test_the_moments_of_a_task_stay_in_order_when_the_clock_is_set_back(store: MemoryStore, clock: Clock) -> None:
    task, _ = store.create("body")
    clock.pass_by(-3600)
    store.start(task.task_id)
    clock.pass_by(-3600)
    store.complete(task.task_id, "result")

    done = await known(store, task.task_id)

    assert done.started_at is not None
    assert done.finished_at is not None
    assert done.created_at <= done.started_at <= done.finished_at


async def test_a_wait_ends_with_the_task(store: MemoryStore) -> None:
    task, _ = store.create("body")
    store.start(task.task_id)
    waits = [asyncio.create_task(store.wait(task.task_id, 30)) for _ in range(3)]
    await asyncio.sleep(0)

    store.complete(task.task_id, "result")

    assert [seen.status for seen in await asyncio.gather(*waits) if seen] == [TaskStatus.COMPLETED] * 3


async def test_a_wait_ends_at_its_timeout(store: MemoryStore) -> None:
    task, _ = store.create("body")

    seen = await store.wait(task.task_id, 0.01)

    assert seen == task


async def test_the_end_of_a_task_is_reported_once(store: MemoryStore) -> None:
    finished: list[str] = []
    task, _ = store.create("body", when_finished=finished.append)
    watched = store.watch(task.task_id)
    assert not watched.done()

    await store.cancel(task.task_id)
    await store.cancel(task.task_id)

    assert watched.done()
    assert store.watch(task.task_id).done()
    assert finished == [task.task_id]
