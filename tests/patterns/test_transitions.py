"""One table of transitions for both stores: methods of the record in memory, scripts in Redis."""

import time
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest

from patterns.contract import DeliveryAttempt, DeliveryState, WebhookTask
from patterns.redis_store.store import RedisStore
from patterns.redis_store.worker_records import WorkerRecords
from patterns.tasks.store import StoreError
from tests.patterns.clock import Clock
from tests.patterns.stores_under_test import InMemory, InRedis, Subject
from tests.patterns.transition_table import COUNTED, DELIVERIES, NEW, TRANSITIONS, UNDELIVERED

HOOK = "https://example.com/hook"
#: Each attempt of a test is made at this time.
_AT = datetime(2026, 11, 23, 9, 30, tzinfo=UTC)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """The clock of both stores."""
    clock = Clock()
    for module in ("store", "worker_records", "outbox"):
        fake_time = SimpleNamespace(time=clock, monotonic=time.monotonic)
        monkeypatch.setattr(f"patterns.redis_store.{module}.time", fake_time)
    return clock


@pytest.fixture(params=["memory", "redis"])
def subject(request: pytest.FixtureRequest, clock: Clock, store: RedisStore, worker: WorkerRecords) -> Subject:
    """Each store in turn."""
    return InMemory(clock) if request.param == "memory" else InRedis(store, worker)


async def answer(subject: Subject, clock: Clock, task_id: str, step: str) -> object:
    """Do a step; return its result, or the name of the error that it raised."""
    what, _, argument = step.partition(" ")
    try:
        match what:
            case "a":
                clock.pass_by(60)
                return None
            case "progress":
                percent, _, message = argument.partition(" ")
                return subject.progress(task_id, int(percent), message or None)
            case "deliver":
                state = DeliveryState(argument)
                error = None if state is DeliveryState.DELIVERED else "not acknowledged"
                return subject.attempt(task_id, DeliveryAttempt(at=_AT, error=error), state)
            case "cancel" | "redeliver":
                return await getattr(subject.store, what)(task_id) == await subject.store.get(task_id)
            case _:
                return getattr(subject, what)(task_id)
    except StoreError as error:
        return type(error).__name__


async def view(subject: Subject, clock: Clock, task_id: str) -> dict[str, Any]:
    """What a client sees of the task, with facts in place of times."""
    task = await subject.store.get(task_id)
    assert task is not None
    seen: dict[str, Any] = {
        "status": task.status,
        "progress": task.progress,
        "message": task.message,
        "result": task.result,
        "error": task.error and f"{task.error.code}: {task.error.message}",
        "started": task.started_at is not None,
        "finished": task.finished_at is not None,
    }
    if isinstance(task, WebhookTask):
        due = task.delivery.next_attempt_at
        counters = await subject.store.delivery_counters()
        assert [letter.task_id for letter in await subject.store.dead_letters(5)] == [task_id] * counters.dead_letters
        seen |= {
            "delivery": task.delivery.state,
            "attempts": [attempt.error for attempt in task.delivery.attempts],
            "due": due and round(due.timestamp() - clock.now),
            "last_error": task.delivery.last_error,
            "under_way": counters.under_way,
            "dead_letters": counters.dead_letters,
        }
    return seen


@pytest.mark.parametrize("name", TRANSITIONS)
async def test_a_task_goes_from_state_to_state(subject: Subject, clock: Clock, name: str) -> None:
    steps, differs = TRANSITIONS[name]
    task_id = await subject.create(None)

    assert [(step, await answer(subject, clock, task_id, step)) for step, _ in steps] == list(steps)
    assert await view(subject, clock, task_id) == NEW | differs


@pytest.mark.parametrize("name", DELIVERIES)
async def test_a_delivery_goes_from_state_to_state(subject: Subject, clock: Clock, name: str) -> None:
    steps, differs = DELIVERIES[name]
    task_id = await subject.create(HOOK)

    assert [(step, await answer(subject, clock, task_id, step)) for step, _ in steps] == list(steps)
    assert await view(subject, clock, task_id) == NEW | UNDELIVERED | COUNTED | differs


@pytest.mark.parametrize("step", ["cancel", "redeliver", "start", "progress 5", "complete", "fail", "deliver dead"])
async def test_no_step_creates_an_unknown_task(subject: Subject, clock: Clock, step: str) -> None:
    assert not await answer(subject, clock, "unknown", step) or step in {"cancel", "redeliver"}
    assert await subject.store.get("unknown") is None


async def test_the_times_of_a_task_stay_in_order_when_the_clock_is_set_back(subject: Subject, clock: Clock) -> None:
    task_id = await subject.create(None)
    clock.pass_by(-3600)
    subject.start(task_id)
    clock.pass_by(-3600)
    subject.complete(task_id)

    task = await subject.store.get(task_id)

    assert task is not None
    assert task.started_at is not None
    assert task.finished_at is not None
    assert task.created_at <= task.started_at <= task.finished_at
    counters = await subject.store.task_counters()
    assert (counters.queue_wait.total, counters.execution.total) == (0, 0)
