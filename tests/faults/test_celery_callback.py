"""celery_queue with a callback: a separate task delivers the outcome, whatever dies in between."""

import asyncio
import signal
from dataclasses import dataclass

import httpx
import psutil
import pytest
from starlette.responses import Response

from patterns import CELERY_QUEUE
from patterns.contract.settings import new_webhook_secret
from tests.support.callback_receiver import ACKNOWLEDGED, CallbackReceiver, callback_receiver
from tests.support.scenarios import ScenarioResult
from tests.support.scripted_server import Seen, hang
from tests.support.serving import Json, Served, Servers
from tests.support.waiting import eventually

_SETTINGS = {
    "KIT_AGENT": "tests.support.agents:by_prompt",
    "KIT_TASK_TIMEOUT_SECONDS": "1",  # and an attempt to deliver its outcome may take longer
    "KIT_WEBHOOK_SECRET": new_webhook_secret(),
    "KIT_WEBHOOK_FIRST_PAUSE_SECONDS": "0.1",
    "KIT_WEBHOOK_MAX_PAUSE_SECONDS": "0.2",
    "KIT_WEBHOOK_ATTEMPTS": "3",
    "KIT_WEBHOOK_TIMEOUT_SECONDS": "3",
}


@dataclass(frozen=True)
class DeadLetter:
    """A delivery that was refused until it was a dead letter, and then sent again."""

    task_id: str
    dead: Json
    listed: list[Json]
    redelivered: httpx.Response
    after: Json


@dataclass(frozen=True)
class Attempted:
    """A delivery that was acknowledged, and how many attempts that took."""

    delivery: Json
    attempts: int


@dataclass(frozen=True)
class Scenarios:
    """All that happened."""

    delivered: dict[str, list[Json]]
    shown: Json
    without: Json
    same_key: list[httpx.Response]
    not_dead: httpx.Response
    dead_letter: DeadLetter
    slow: Attempted
    killed: Attempted


def run_scenario(servers: Servers) -> Scenarios:
    """Deliver every kind of outcome; then refuse a delivery, acknowledge one slowly, and kill a worker during one."""
    served = servers.serve(CELERY_QUEUE, _SETTINGS)
    with callback_receiver() as callbacks, callback_receiver() as receiver:
        tasks = every_outcome(served, callbacks.url)
        without = served.outcome(served.accept("sleeps:0"))
        for task_id in tasks.values():
            eventually(lambda task_id=task_id: callbacks.about(task_id), bool)  # type: ignore[misc]
        urls = (callbacks.url, callbacks.url, receiver.url)
        return Scenarios(
            shown=served.until_delivery(tasks["completed"]),
            without=without,
            same_key=[served.submit("sleeps:0", "one", callback_url=url) for url in urls],
            not_dead=served.http.post(f"/agent/redeliver/{tasks['completed']}"),
            dead_letter=refuse(served, receiver),
            slow=acknowledge_slowly(served, receiver),
            killed=kill_during_an_attempt(served, receiver),
            delivered={name: callbacks.about(task_id) for name, task_id in tasks.items()},
        )


def every_outcome(served: Served, url: str) -> dict[str, str]:
    """Submit a task for each outcome, with this callback URL."""
    tasks = {
        "completed": served.accept("sleeps:0.1", callback_url=url),
        "agent_error": served.accept("raises:no", callback_url=url),
        "timeout": served.accept("catches_everything:", callback_url=url),
        "cancelled": served.accept("sleeps:20", callback_url=url),
    }
    served.until(tasks["cancelled"], "running")
    served.cancel(tasks["cancelled"])
    return tasks


def refuse(served: Served, receiver: CallbackReceiver) -> DeadLetter:
    """Refuse every attempt; then acknowledge, and have the dead letter sent again."""
    receiver.answers(Response(status_code=500))
    task_id = served.accept("sleeps:0", callback_url=receiver.url)
    dead = served.until_delivery(task_id, "dead")
    listed = served.http.get("/agent/dead-letters").json()
    receiver.answers(ACKNOWLEDGED)
    redelivered = served.http.post(f"/agent/redeliver/{task_id}")
    return DeadLetter(task_id, dead, listed, redelivered, served.until_delivery(task_id))


def acknowledge_slowly(served: Served, receiver: CallbackReceiver) -> Attempted:
    """Acknowledge after longer than a task may take."""

    async def slow(request: Seen) -> Response:
        await asyncio.sleep(2)
        return ACKNOWLEDGED

    receiver.answers(slow)
    task_id = served.accept("sleeps:0", callback_url=receiver.url)
    delivery = served.until_delivery(task_id)
    return Attempted(delivery, attempts(receiver, task_id))


def kill_during_an_attempt(served: Served, receiver: CallbackReceiver) -> Attempted:
    """Kill the processes of the worker while an attempt is under way; then acknowledge."""
    receiver.answers(hang)
    task_id = served.accept("sleeps:0", callback_url=receiver.url)
    eventually(lambda: attempts(receiver, task_id), bool)
    kill_pool(served)
    receiver.answers(ACKNOWLEDGED)
    delivery = served.until_delivery(task_id)
    return Attempted(delivery, attempts(receiver, task_id))


def attempts(receiver: CallbackReceiver, task_id: str) -> int:
    """How many attempts to deliver a task's outcome a receiver has seen."""
    return sum(request.headers["webhook-id"] == f"msg_{task_id}" for request in receiver.seen())


def kill_pool(served: Served) -> None:
    """Kill every process in which the worker runs its tasks."""
    (worker,) = served.running.workers
    for child in psutil.Process(worker.pid).children():
        child.send_signal(signal.SIGKILL)


@pytest.fixture(scope="module")
def scenarios(scenario_result: ScenarioResult) -> Scenarios:
    """What happened."""
    scenarios: Scenarios = scenario_result(__name__)
    return scenarios


@pytest.mark.parametrize(
    ("outcome", "status", "code"),
    [
        ("completed", "completed", None),
        ("agent_error", "failed", "agent_error"),
        ("timeout", "failed", "timeout"),
        ("cancelled", "cancelled", None),
    ],
)
def test_every_outcome_is_delivered_once(scenarios: Scenarios, outcome: str, status: str, code: str | None) -> None:
    (callback,) = scenarios.delivered[outcome]

    assert callback["status"] == status
    assert (callback["error"] or {}).get("code") == code


def test_status_shows_the_delivery(scenarios: Scenarios) -> None:
    assert scenarios.shown["state"] == "delivered"
    assert [attempt["status_code"] for attempt in scenarios.shown["attempts"]] == [204]


def test_without_a_callback_url_there_is_no_delivery(scenarios: Scenarios) -> None:
    assert "delivery" not in scenarios.without


def test_the_same_key_with_another_callback_url_is_refused(scenarios: Scenarios) -> None:
    first, same, other = scenarios.same_key

    assert first.json()["task_id"] == same.json()["task_id"]
    assert other.status_code == 422


def test_a_delivery_that_is_refused_too_often_is_a_dead_letter(scenarios: Scenarios) -> None:
    assert [attempt["status_code"] for attempt in scenarios.dead_letter.dead["attempts"]] == [500, 500, 500]
    assert [task["task_id"] for task in scenarios.dead_letter.listed] == [scenarios.dead_letter.task_id]


def test_only_a_dead_letter_can_be_sent_again(scenarios: Scenarios) -> None:
    assert scenarios.not_dead.status_code == 409
    assert scenarios.dead_letter.redelivered.status_code == 202


def test_a_dead_letter_that_is_sent_again_is_delivered(scenarios: Scenarios) -> None:
    assert scenarios.dead_letter.after["state"] == "delivered"
    assert scenarios.dead_letter.after["attempts"][-1]["status_code"] == 204


def test_a_delivery_attempt_may_take_longer_than_a_task(scenarios: Scenarios) -> None:
    assert scenarios.slow.delivery["state"] == "delivered"
    assert scenarios.slow.attempts == 1


def test_a_delivery_whose_worker_is_killed_is_attempted_again(scenarios: Scenarios) -> None:
    assert scenarios.killed.attempts == 2  # the attempt that was cut off, and the one that was acknowledged
    assert scenarios.killed.delivery["state"] == "delivered"
