"""Records in Redis: the rules of a task hold however many processes write at once."""

import asyncio

import pytest

from patterns.contract import ErrorCode, TaskStatus
from patterns.redis_store.store import RedisStore
from patterns.redis_store.worker_records import WorkerRecords
from patterns.tasks.store import AlreadyFinished, KeyReused, QueueFull, new_task_id
from tests.patterns.redis_keys import Keys
from tests.patterns.redis_tasks import create, known


async def test_a_created_task_is_known_immediately_and_has_to_be_published(store: RedisStore) -> None:
    task, to_hand_over = await store.create(new_task_id(), "body")

    assert to_hand_over
    assert await store.get(task.task_id) == task
    assert task.status is TaskStatus.PENDING


async def test_an_id_that_was_never_issued_is_unknown_and_leaves_nothing(
    store: RedisStore, worker: WorkerRecords, keys: Keys
) -> None:
    assert await store.get("x") is None
    assert await store.wait("x", 5) is None
    assert await store.cancel("x") is None
    assert not worker.start("x", 3)
    assert not worker.progress("x", 50)
    worker.complete("x", "result")
    worker.fail("x", ErrorCode.TIMEOUT, "too long")

    assert keys.all() == set()


async def test_a_stopping_worker_does_not_bring_a_forgotten_record_back(
    store: RedisStore, worker: WorkerRecords, keys: Keys
) -> None:
    task = await create(store)
    worker.start(task.task_id, 3)
    keys.expire(f"task:{task.task_id}")

    worker.undo_start(task.task_id)

    assert await store.get(task.task_id) is None


async def test_a_full_store_accepts_nothing(store: RedisStore, keys: Keys) -> None:
    first = await create(store)
    await create(store)
    before = keys.all()

    with pytest.raises(QueueFull):
        await create(store, "another", "key")
    assert keys.all() == before

    await store.cancel(first.task_id)
    await create(store, "yet another", "key")


async def test_a_known_key_gives_its_task_again(store: RedisStore) -> None:
    first = await create(store, "body", "key")
    await store.mark_sent("key")

    again, to_hand_over = await store.create(new_task_id(), "body", "key")

    assert again == first
    assert not to_hand_over
    with pytest.raises(KeyReused):
        await create(store, "another body", "key")


async def test_a_repeat_waits_until_the_task_is_published(store: RedisStore) -> None:
    task = await create(store, "body", "key")
    repeat = asyncio.create_task(store.create(new_task_id(), "body", "key"))
    done, _ = await asyncio.wait({repeat}, timeout=0.1)
    assert not done

    await store.mark_sent("key")

    async with asyncio.timeout(30):
        assert await repeat == (task, False)


async def test_a_repeat_publishes_the_task_if_the_first_request_could_not(store: RedisStore) -> None:
    first = await create(store, "body", "key")
    repeat = asyncio.create_task(store.create(new_task_id(), "body", "key"))
    await asyncio.sleep(0)

    await store.forget(first.task_id)

    async with asyncio.timeout(30):
        second, to_hand_over = await repeat
    assert to_hand_over
    assert second.task_id != first.task_id


async def test_forgetting_a_task_gives_back_its_place_and_its_key(store: RedisStore, keys: Keys) -> None:
    task = await create(store, "body", "key")

    await store.forget(task.task_id)

    assert keys.all() == set()


async def test_a_task_may_run_again_but_not_for_ever(store: RedisStore, worker: WorkerRecords) -> None:
    task = await create(store)

    assert [worker.start(task.task_id, 3) for _ in range(4)] == [True, True, True, False]

    failed = await known(store, task.task_id)
    assert failed.error is not None
    assert failed.error.code is ErrorCode.WORKER_LOST


async def test_a_run_that_was_put_back_is_not_counted(store: RedisStore, worker: WorkerRecords) -> None:
    task = await create(store)

    for _ in range(10):
        assert worker.start(task.task_id, 3)
        worker.undo_start(task.task_id)


async def test_a_second_run_does_not_move_the_start(store: RedisStore, worker: WorkerRecords) -> None:
    task = await create(store)
    worker.start(task.task_id, 3)
    first = await known(store, task.task_id)

    worker.start(task.task_id, 3)

    assert (await known(store, task.task_id)).started_at == first.started_at


async def test_progress_never_goes_back_and_stays_within_100(store: RedisStore, worker: WorkerRecords) -> None:
    task = await create(store)
    worker.start(task.task_id, 3)
    seen = []

    for percent in (10, 40, 20, -5, 99, 1000, 3):
        assert worker.progress(task.task_id, percent)
        seen.append((await known(store, task.task_id)).progress)

    assert seen == [10, 40, 40, 40, 99, 100, 100]


@pytest.mark.parametrize("first", ["complete", "fail", "cancel"])
async def test_a_finished_task_never_changes(store: RedisStore, worker: WorkerRecords, keys: Keys, first: str) -> None:
    task = await create(store)
    worker.start(task.task_id, 3)
    if first == "complete":
        worker.complete(task.task_id, "the result")
    elif first == "fail":
        worker.fail(task.task_id, ErrorCode.AGENT_ERROR, "the error")
    else:
        await store.cancel(task.task_id)
    finished = await known(store, task.task_id)

    worker.complete(task.task_id, "another result")
    worker.fail(task.task_id, ErrorCode.TIMEOUT, "another error")
    assert not worker.progress(task.task_id, 77)
    assert not worker.start(task.task_id, 3)
    if first == "cancel":
        await store.cancel(task.task_id)
    else:
        with pytest.raises(AlreadyFinished):
            await store.cancel(task.task_id)

    assert await known(store, task.task_id) == finished
    assert keys.expire_in(f"task:{task.task_id}") is not None


async def test_only_finished_records_expire_and_their_keys_with_them(
    store: RedisStore, worker: WorkerRecords, keys: Keys
) -> None:
    task = await create(store, "body", "key")
    await store.mark_sent("key")
    worker.start(task.task_id, 3)
    assert {keys.expire_in(key) for key in keys.all()} == {None}

    worker.complete(task.task_id, "result")

    left = [keys.expire_in(key) for key in keys.all() - {"counters"}]
    assert len(left) == 3  # the record, its history and its key; the lists of unfinished and running tasks are gone
    assert all(seconds is not None and 0 < seconds <= 60 for seconds in left)
