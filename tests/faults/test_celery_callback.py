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
    told_slowly: int
    told_after_the_kill: int
    after_the_kill: Json


async def slow(request: Seen) -> Response:
    """Acknowledge after longer than a task may take."""
    await asyncio.sleep(2)
    return ACKNOWLEDGED


def run_scenario(servers: Servers) -> Scenarios:
    """Have every kind of outcome delivered; then refuse a callback until it is given up; then take one slowly; then
    kill the worker during an attempt."""
    served = servers.serve(CELERY_QUEUE, _SETTINGS)
    with callback_receiver() as callbacks, callback_receiver() as moody:
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

        same_key = [again(callbacks.url), again(callbacks.url), again(moody.url)]

        moody.answers(Response(status_code=500))
        refused = served.accept("sleeps:0", callback_url=moody.url)
        before = served.http.post(f"/agent/redeliver/{tasks['completed']}")
        dead = served.until_delivery(refused, "dead")
        listed = served.http.get("/agent/dead-letters").json()
        moody.answers(ACKNOWLEDGED)
        redelivered = served.http.post(f"/agent/redeliver/{refused}")
        after = served.until_delivery(refused)

        moody.answers(slow)
        slowly = served.accept("sleeps:0", callback_url=moody.url)
        told_slowly = served.until_delivery(slowly)

        moody.answers(hang)
        held = served.accept("sleeps:0", callback_url=moody.url)
        eventually(lambda: attempts(moody, held), bool)
        kill_pool(served)
        moody.answers(ACKNOWLEDGED)
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
            slow=told_slowly,
            told_slowly=attempts(moody, slowly),
            told_after_the_kill=attempts(moody, held),
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
def test_every_outcome_is_told_once(scenarios: Scenarios, outcome: str, status: str, code: str | None) -> None:
    (callback,) = scenarios.delivered[outcome]

    assert callback["status"] == status
    assert (callback["error"] or {}).get("code") == code


def test_status_shows_how_the_outcome_was_told(scenarios: Scenarios) -> None:
    assert scenarios.shown["state"] == "delivered"
    assert [attempt["status_code"] for attempt in scenarios.shown["attempts"]] == [204]


def test_who_asks_for_no_callback_sees_no_delivery(scenarios: Scenarios) -> None:
    assert "delivery" not in scenarios.without


def test_the_callback_url_is_part_of_what_an_idempotency_key_stands_for(scenarios: Scenarios) -> None:
    first, same, other = scenarios.same_key

    assert first.json()["task_id"] == same.json()["task_id"]
    assert other.status_code == 422


def test_what_is_refused_too_often_is_a_dead_letter(scenarios: Scenarios) -> None:
    assert [attempt["status_code"] for attempt in scenarios.dead["attempts"]] == [500, 500, 500]
    assert [task["task_id"] for task in scenarios.listed] == [scenarios.refused]


def test_only_a_dead_letter_can_be_sent_again(scenarios: Scenarios) -> None:
    assert scenarios.before.status_code == 409
    assert scenarios.redelivered.status_code == 202


def test_a_dead_letter_that_is_sent_again_is_told(scenarios: Scenarios) -> None:
    assert scenarios.after["state"] == "delivered"
    assert scenarios.after["attempts"][-1]["status_code"] == 204


def test_an_attempt_to_tell_may_take_longer_than_a_task(scenarios: Scenarios) -> None:
    assert scenarios.slow["state"] == "delivered"
    assert scenarios.told_slowly == 1


def test_killed_while_it_tells_a_worker_does_not_keep_it_to_itself(scenarios: Scenarios) -> None:
    assert scenarios.told_after_the_kill == 2  # the one that was cut off, and the one that was taken
    assert scenarios.after_the_kill["state"] == "delivered"
