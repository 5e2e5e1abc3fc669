"""One table of transitions for both stores: methods of the record in memory, scripts in Redis."""

import time
from collections.abc import Sequence
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


Steps = Sequence[tuple[str, object]]

#: What is done, one step after the other, each with its answer; and what differs from a new task in the end.
#: `start` of a running task is not in here: in Redis it is the next run of a task whose worker has died.
TRANSITIONS: dict[str, tuple[Steps, dict[str, Any]]] = {
    "accepted": ([], {}),
    "started": ([("start", True)], {"status": "running", "started": True}),
    "progress before the start": ([("progress 40", False)], {}),
    "progress": ([("start", True), ("progress 40", True)], {"status": "running", "started": True, "progress": 40}),
    "progress with a message": (
        [("start", True), ("progress 40 reading page 3", True)],
        {"status": "running", "started": True, "progress": 40, "message": "reading page 3"},
    ),
    "a message before the start": ([("progress 40 reading page 3", False)], {}),
    "a report without a message keeps the last one": (
        [("start", True), ("progress 40 reading page 3", True), ("progress 60", True)],
        {"status": "running", "started": True, "progress": 60, "message": "reading page 3"},
    ),
    "a message changes without progress, and with one that goes back": (
        [("start", True), *((f"progress {percent} page {percent}", True) for percent in (40, 40, 20))],
        {"status": "running", "started": True, "progress": 40, "message": "page 20"},
    ),
    "the last message stays after the outcome": (
        [("start", True), ("progress 40 page 3", True), ("complete", None), ("progress 60 page 4", False)],
        {"status": "completed", "started": True, "finished": True, "progress": 100, "result": "the result"}
        | {"message": "page 3"},
    ),
    "progress backwards": (
        [("start", True), ("progress 40", True), ("progress 20", True), ("progress -5", True)],
        {"status": "running", "started": True, "progress": 40},
    ),
    "progress beyond the end": (
        [("start", True), ("progress 1000", True)],
        {"status": "running", "started": True, "progress": 100},
    ),
    "completed": (
        [("start", True), ("complete", None)],
        {"status": "completed", "started": True, "finished": True, "progress": 100, "result": "the result"},
    ),
    "completed, and whatever comes after": (
        [
            *(("start", True), ("complete", None), ("fail", None), ("complete", None), ("start", False)),
            *(("progress 20", False), ("cancel", "AlreadyFinished"), ("cancel", "AlreadyFinished")),
        ],
        {"status": "completed", "started": True, "finished": True, "progress": 100, "result": "the result"},
    ),
    "failed": (
        [("start", True), ("progress 40", True), ("fail", None)],
        {"status": "failed", "started": True, "finished": True, "progress": 40, "error": "agent_error: the error"},
    ),
    "failed, and whatever comes after": (
        [
            *(("start", True), ("fail", None), ("complete", None), ("fail", None), ("start", False)),
            *(("progress 20", False), ("cancel", "AlreadyFinished")),
        ],
        {"status": "failed", "started": True, "finished": True, "error": "agent_error: the error"},
    ),
    "failed before it started": (
        [("fail", None), ("start", False)],
        {"status": "failed", "finished": True, "error": "agent_error: the error"},
    ),
    "cancelled while it waits": ([("cancel", True), ("start", False)], {"status": "cancelled", "finished": True}),
    "cancelled while it runs": (
        [("start", True), ("progress 40", True), ("cancel", True), ("progress 60", False)],
        {"status": "cancelled", "started": True, "finished": True, "progress": 40},
    ),
    "cancelled twice, and whatever comes after": (
        [("start", True), ("cancel", True), ("cancel", True), ("complete", None), ("fail", None), ("start", False)],
        {"status": "cancelled", "started": True, "finished": True},
    ),
    "nothing to deliver without a callback URL": (
        [("complete", None), ("deliver delivered", False), ("redeliver", "NotADeadLetter")],
        {"status": "completed", "finished": True, "progress": 100, "result": "the result"},
    ),
}

_COMPLETED = {"status": "completed", "finished": True, "progress": 100, "result": "the result"}
#: The same for tasks with a callback URL.
DELIVERIES: dict[str, tuple[Steps, dict[str, Any]]] = {
    "accepted": ([], {}),
    "nothing to deliver before the end": (
        [("start", True), ("deliver delivered", False), ("redeliver", "NotADeadLetter")],
        {"status": "running", "started": True},
    ),
    "due": ([("complete", None), ("redeliver", "NotADeadLetter")], _COMPLETED | {"under_way": 1}),
    "delivered": (
        [("complete", None), ("deliver delivered", True), ("deliver dead", False), ("redeliver", "NotADeadLetter")],
        _COMPLETED | {"delivery": "delivered", "attempts": [None]},
    ),
    "a cancelled task is delivered too": (
        [("cancel", True), ("deliver delivered", True)],
        {"status": "cancelled", "finished": True, "delivery": "delivered", "attempts": [None]},
    ),
    "to be tried again": (
        [("complete", None), ("deliver waiting", True)],
        _COMPLETED | {"attempts": ["not acknowledged"], "last_error": "not acknowledged", "due": 60, "under_way": 1},
    ),
    "delivered at the second attempt": (
        [("complete", None), ("deliver waiting", True), ("a minute later", None), ("deliver delivered", True)],
        _COMPLETED | {"delivery": "delivered", "attempts": ["not acknowledged", None]},
    ),
    "given up": (
        [("complete", None), ("deliver dead", True), ("deliver delivered", False)],
        _COMPLETED
        | {"delivery": "dead", "attempts": ["not acknowledged"], "last_error": "not acknowledged", "dead_letters": 1},
    ),
    "sent again": (
        [("complete", None), ("deliver dead", True), ("redeliver", True), ("redeliver", "NotADeadLetter")],
        _COMPLETED | {"attempts": ["not acknowledged"], "under_way": 1},
    ),
    "sent again, and delivered": (
        [("complete", None), ("deliver dead", True), ("redeliver", True), ("deliver delivered", True)],
        _COMPLETED | {"delivery": "delivered", "attempts": ["not acknowledged", None]},
    ),
    "sent again, and given up again": (
        [("complete", None), ("deliver dead", True), ("redeliver", True), ("deliver dead", True)],
        _COMPLETED
        | {"delivery": "dead", "attempts": ["not acknowledged"] * 2, "last_error": "not acknowledged"}
        | {"dead_letters": 1},
    ),
    "the last twenty attempts are kept": (
        [
            ("complete", None),
            *([("deliver waiting", True), ("a minute later", None)] * 25),
            ("deliver delivered", True),
        ],
        _COMPLETED | {"delivery": "delivered", "attempts": [*["not acknowledged"] * 19, None]},
    ),
}

_NEW = {
    "status": "pending",
    "progress": 0,
    "message": None,
    "result": None,
    "error": None,
    "started": False,
    "finished": False,
}
_UNDELIVERED: dict[str, Any] = {"delivery": "waiting", "attempts": [], "due": None, "last_error": None}
_COUNTED = {"under_way": 0, "dead_letters": 0}


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
    assert await view(subject, clock, task_id) == _NEW | differs


@pytest.mark.parametrize("name", DELIVERIES)
async def test_a_delivery_goes_from_state_to_state(subject: Subject, clock: Clock, name: str) -> None:
    steps, differs = DELIVERIES[name]
    task_id = await subject.create(HOOK)

    assert [(step, await answer(subject, clock, task_id, step)) for step, _ in steps] == list(steps)
    assert await view(subject, clock, task_id) == _NEW | _UNDELIVERED | _COUNTED | differs


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
