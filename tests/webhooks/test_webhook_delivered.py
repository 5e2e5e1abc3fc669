"""Whichever way a task ends, its client is told: once, and with all that the status would say."""

from collections.abc import Callable
from typing import Any

import pytest
from starlette.responses import Response

from tests.support.scripted_server import Script
from tests.support.serving import Served
from tests.webhooks.callbacks import HOOK, TAKEN, delivery, submit, try_submit, until_delivery, url_of, verified


@pytest.fixture
def receiver(script: Script) -> Script:
    """Takes every callback."""
    return script.on(HOOK, TAKEN)


def test_a_completed_task_is_told_with_its_result(webhook: Served, receiver: Script) -> None:
    task_id = submit(webhook, url_of(receiver))

    until_delivery(webhook, task_id, "delivered")

    [request] = receiver.seen(HOOK)
    callback = verified(request)
    assert (callback["task_id"], callback["status"], callback["progress"]) == (task_id, "completed", 100)
    assert callback["result"]


def test_a_failed_task_is_told_with_its_error(webhook: Served, receiver: Script) -> None:
    task_id = submit(webhook, url_of(receiver), "fail: please")

    until_delivery(webhook, task_id, "delivered")

    [request] = receiver.seen(HOOK)
    callback = verified(request)
    assert (callback["task_id"], callback["status"], callback["result"]) == (task_id, "failed", None)
    assert callback["error"]["code"] == "agent_error"


def test_a_task_cancelled_while_it_ran_is_told(webhook: Served, receiver: Script) -> None:
    task_id = submit(webhook, url_of(receiver), "hang: for ever")
    webhook.until(task_id, "running")

    webhook.cancel(task_id)
    until_delivery(webhook, task_id, "delivered")

    [request] = receiver.seen(HOOK)
    assert verified(request)["status"] == "cancelled"


def test_a_task_cancelled_while_it_waited_is_told(webhook: Served, receiver: Script) -> None:
    running = [submit(webhook, url_of(receiver), "hang: for ever") for _ in range(3)]  # as many as there are workers
    for task_id in running:
        webhook.until(task_id, "running")
    waiting = submit(webhook, url_of(receiver))

    webhook.cancel(waiting)
    until_delivery(webhook, waiting, "delivered")

    [request] = receiver.seen(HOOK)
    callback = verified(request)
    assert (callback["task_id"], callback["status"], callback["started_at"]) == (waiting, "cancelled", None)
    webhook.cancel_all()


def test_a_result_that_could_not_be_sent_as_it_is_is_told_all_the_same(patient: Served, receiver: Script) -> None:
    task_id = submit(patient, url_of(receiver), "It costs HALF A CHARACTER.*1")

    until_delivery(patient, task_id, "delivered")

    [request] = receiver.seen(HOOK)
    assert verified(request)["result"] == "It costs ?."


def test_the_callback_is_the_task_as_its_status_shows_it(webhook: Served, receiver: Script) -> None:
    task_id = submit(webhook, url_of(receiver))
    until_delivery(webhook, task_id, "delivered")

    callback, status = receiver.seen(HOOK)[0].json, webhook.task(task_id)

    del status["delivery"]
    assert callback.pop("result_at") is None
    assert callback == status


def test_the_status_shows_the_delivery_from_the_first_moment(webhook: Served, receiver: Script) -> None:
    answer = try_submit(webhook, url_of(receiver), "hang: for ever")
    task_id = answer.json()["task_id"]

    nothing_yet: dict[str, Any] = {"state": "waiting", "attempts": [], "next_attempt_at": None, "last_error": None}
    assert answer.json()["delivery"] == nothing_yet
    assert delivery(webhook, task_id) == nothing_yet
    assert receiver.count(HOOK) == 0
    webhook.cancel_all()


def test_a_delivery_shows_its_one_attempt(webhook: Served, receiver: Script) -> None:
    task_id = submit(webhook, url_of(receiver))

    told = until_delivery(webhook, task_id, "delivered")

    [attempt] = told["attempts"]
    assert (attempt["status_code"], attempt["error"]) == (204, None)
    assert attempt["at"] >= webhook.task(task_id)["finished_at"]
    assert (told["next_attempt_at"], told["last_error"]) == (None, None)


def test_any_2xx_is_a_yes(webhook: Served, new_script: Callable[[], Script]) -> None:
    receivers = [new_script().on(HOOK, Response("thanks", status)) for status in (200, 201, 202, 299)]
    tasks = [submit(webhook, url_of(receiver)) for receiver in receivers]

    for task_id in tasks:
        until_delivery(webhook, task_id, "delivered")

    assert [receiver.count(HOOK) for receiver in receivers] == [1, 1, 1, 1]


def test_a_submit_sent_twice_with_one_key_is_told_once(webhook: Served, receiver: Script) -> None:
    body = {"prompt": "compare", "callback_url": url_of(receiver)}
    headers = {"Idempotency-Key": f"key-{receiver.url}"}
    first, second = (webhook.http.post("/agent/submit", json=body, headers=headers).json() for _ in range(2))

    until_delivery(webhook, first["task_id"], "delivered")

    assert first["task_id"] == second["task_id"]
    assert receiver.count(HOOK) == 1


def test_the_same_key_with_another_callback_url_is_another_request(
    webhook: Served, new_script: Callable[[], Script]
) -> None:
    first, second = new_script().on(HOOK, TAKEN), new_script().on(HOOK, TAKEN)
    headers = {"Idempotency-Key": f"key-{first.url}"}
    answers = [
        webhook.http.post("/agent/submit", json={"prompt": "compare", "callback_url": url_of(to)}, headers=headers)
        for to in (first, second)
    ]

    assert [answer.status_code for answer in answers] == [202, 422]
