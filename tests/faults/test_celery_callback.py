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
class Scenarios:
    """All that happened."""

    delivered: dict[str, list[Json]]
    shown: Json
    without: Json
    same_key: list[httpx.Response]
    refused: str
    dead: Json
    listed: list[Json]
    before: httpx.Response
    redelivered: httpx.Response
    after: Json
    slow: Json
    slow_attempts: int
    attempts_after_the_kill: int
    after_the_kill: Json


async def slow(request: Seen) -> Response:
    """Acknowledge after longer than a task may take."""
    await asyncio.sleep(2)
    return ACKNOWLEDGED


def run_scenario(servers: Servers) -> Scenarios:
    """Deliver every kind of outcome, refuse one until it is a dead letter, acknowledge one slowly, and at last
    kill the worker during an attempt."""
    served = servers.serve(CELERY_QUEUE, _SETTINGS)
    with callback_receiver() as callbacks, callback_receiver() as receiver:
        tasks = {
            "completed": served.accept("sleeps:0.1", callback_url=callbacks.url),
            "agent_error": served.accept("raises:no", callback_url=callbacks.url),
            "timeout": served.accept("catches_everything:", callback_url=callbacks.url),
            "cancelled": served.accept("sleeps:20", callback_url=callbacks.url),
        }
        served.until(tasks["cancelled"], "running")
        served.cancel(tasks["cancelled"])
        without = served.outcome(served.accept("sleeps:0"))
        for task_id in tasks.values():
            eventually(lambda task_id=task_id: callbacks.about(task_id), bool)  # type: ignore[misc]
        shown = served.until_delivery(tasks["completed"])

        def again(url: str) -> httpx.Response:
            body = {"prompt": "sleeps:0", "callback_url": url}
            return served.http.post("/agent/submit", json=body, headers={"Idempotency-Key": "one"})

        same_key = [again(callbacks.url), again(callbacks.url), again(receiver.url)]

        receiver.answers(Response(status_code=500))
        refused = served.accept("sleeps:0", callback_url=receiver.url)
        before = served.http.post(f"/agent/redeliver/{tasks['completed']}")
        dead = served.until_delivery(refused, "dead")
        listed = served.http.get("/agent/dead-letters").json()
        receiver.answers(ACKNOWLEDGED)
        redelivered = served.http.post(f"/agent/redeliver/{refused}")
        after = served.until_delivery(refused)

        receiver.answers(slow)
        slowly = served.accept("sleeps:0", callback_url=receiver.url)
        delivered_slowly = served.until_delivery(slowly)

        receiver.answers(hang)
        held = served.accept("sleeps:0", callback_url=receiver.url)
        eventually(lambda: attempts(receiver, held), bool)
        kill_pool(served)
        receiver.answers(ACKNOWLEDGED)
        after_the_kill = served.until_delivery(held)
        return Scenarios(
            delivered={name: callbacks.about(task_id) for name, task_id in tasks.items()},
            shown=shown,
            without=without,
            same_key=same_key,
            refused=refused,
            dead=dead,
            listed=listed,
            before=before,
            redelivered=redelivered,
            after=after,
            slow=delivered_slowly,
            slow_attempts=attempts(receiver, slowly),
            attempts_after_the_kill=attempts(receiver, held),
            after_the_kill=after_the_kill,
        )


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
    assert [attempt["status_code"] for attempt in scenarios.dead["attempts"]] == [500, 500, 500]
    assert [task["task_id"] for task in scenarios.listed] == [scenarios.refused]


def test_only_a_dead_letter_can_be_sent_again(scenarios: Scenarios) -> None:
    assert scenarios.before.status_code == 409
    assert scenarios.redelivered.status_code == 202


def test_a_dead_letter_that_is_sent_again_is_delivered(scenarios: Scenarios) -> None:
    assert scenarios.after["state"] == "delivered"
    assert scenarios.after["attempts"][-1]["status_code"] == 204


def test_a_delivery_attempt_may_take_longer_than_a_task(scenarios: Scenarios) -> None:
    assert scenarios.slow["state"] == "delivered"
    assert scenarios.slow_attempts == 1


def test_a_delivery_whose_worker_is_killed_is_attempted_again(scenarios: Scenarios) -> None:
    assert scenarios.attempts_after_the_kill == 2  # the attempt that was cut off, and the one that was acknowledged
    assert scenarios.after_the_kill["state"] == "delivered"
