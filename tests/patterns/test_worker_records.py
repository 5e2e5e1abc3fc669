"""What the records tell a worker about lost messages."""

import time

import pytest

from patterns.redis_store.store import RedisStore
from patterns.redis_store.worker_records import WorkerRecords
from patterns.tasks.store import new_task_id
from tests.patterns.redis_keys import Keys


async def test_a_message_is_known_until_its_task_is_finished(
    store: RedisStore, worker: WorkerRecords, keys: Keys
) -> None:
    task = (await store.create(new_task_id(), "the prompt"))[0]

    assert worker.claim_stalled(task.task_id, 0) == ("the prompt", False, {})
    worker.start(task.task_id, 3)
    assert worker.claim_stalled(task.task_id, 0) == ("the prompt", False, {})
    worker.complete(task.task_id, "result")

    assert worker.claim_stalled(task.task_id, 0) is None
    assert "prompts" not in keys.all()


async def test_only_one_of_many_workers_sends_a_lost_message_again(
    store: RedisStore, worker: WorkerRecords, monkeypatch: pytest.MonkeyPatch
) -> None:
    task, _ = await store.create(new_task_id(), "the prompt", None, "http://receiver.example/hook")
    now = time.time()

    def after(seconds: float) -> tuple[str, bool, object] | None:
        monkeypatch.setattr(time, "time", lambda: now + seconds)
        return worker.claim_stalled(task.task_id, 60)

    assert after(59) is None
    assert after(62) == ("the prompt", True, {})
    assert after(63) is None
    assert after(121) is None
    assert after(124) == ("the prompt", True, {})


async def test_a_task_is_unmoved_whose_last_run_is_long_ago(
    store: RedisStore, worker: WorkerRecords, monkeypatch: pytest.MonkeyPatch
) -> None:
    task = (await store.create(new_task_id(), "one"))[0]
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now + 50)
    worker.start(task.task_id, 3)

    for seconds, unmoved in ((100, []), (111, [task.task_id])):
        monkeypatch.setattr(time, "time", lambda seconds=seconds: now + seconds)
        assert worker.stalled(60) == ([], unmoved)
        assert (worker.claim_stalled(task.task_id, 60) is not None) == bool(unmoved)


async def test_a_task_is_overtaken_by_a_newer_one_that_was_started(store: RedisStore, worker: WorkerRecords) -> None:
    (first, _), (second, _) = await store.create(new_task_id(), "one"), await store.create(new_task_id(), "two")

    assert worker.stalled(0) == ([], [first.task_id, second.task_id])
    worker.start(first.task_id, 3)
    assert worker.stalled(0) == ([], [first.task_id, second.task_id])
    worker.start(second.task_id, 3)
    assert worker.stalled(0) == ([first.task_id], [second.task_id])
