"""However a task ends, its outcome is delivered once, with everything that the status would show."""

from collections.abc import Callable
from typing import Any

from starlette.responses import Response

from tests.support.callback_receiver import CallbackReceiver
from tests.support.serving import Served
from tests.webhooks.signing import verified


def test_a_completed_task_is_delivered_with_its_result(webhook: Served, receiver: CallbackReceiver) -> None:
    task_id = webhook.accept(callback_url=receiver.url)

    webhook.until_delivery(task_id)

    [request] = receiver.seen()
    callback = verified(request)
    assert (callback["task_id"], callback["status"], callback["progress"]) == (task_id, "completed", 100)
    assert callback["result"]


def test_a_failed_task_is_delivered_with_its_error(webhook: Served, receiver: CallbackReceiver) -> None:
    task_id = webhook.accept("fail: please", callback_url=receiver.url)

    webhook.until_delivery(task_id)

    [request] = receiver.seen()
    callback = verified(request)
    assert (callback["task_id"], callback["status"], callback["result"]) == (task_id, "failed", None)
    assert callback["error"]["code"] == "agent_error"


def test_a_task_cancelled_while_it_ran_is_delivered(webhook: Served, receiver: CallbackReceiver) -> None:
    task_id = webhook.accept("hang: for ever", callback_url=receiver.url)
    webhook.until(task_id, "running")

    webhook.cancel(task_id)
    webhook.until_delivery(task_id)

    [request] = receiver.seen()
    assert verified(request)["status"] == "cancelled"


def test_a_task_cancelled_while_it_waited_is_delivered(webhook: Served, receiver: CallbackReceiver) -> None:
    running = [
        webhook.accept("hang: for ever", callback_url=receiver.url) for _ in range(3)
    ]  # as many as there are workers
    for task_id in running:
        webhook.until(task_id, "running")
    waiting = webhook.accept(callback_url=receiver.url)

    webhook.cancel(waiting)
    webhook.until_delivery(waiting)

    [request] = receiver.seen()
    callback = verified(request)
    assert (callback["task_id"], callback["status"], callback["started_at"]) == (waiting, "cancelled", None)
    webhook.cancel_all()


def test_a_result_that_is_no_valid_unicode_is_still_delivered(patient: Served, receiver: CallbackReceiver) -> None:
    task_id = patient.accept("It costs HALF A CHARACTER.*1", callback_url=receiver.url)

    patient.until_delivery(task_id)

    [request] = receiver.seen()
    assert verified(request)["result"] == "It costs ?."


def test_the_callback_is_the_task_as_its_status_shows_it(webhook: Served, receiver: CallbackReceiver) -> None:
    task_id = webhook.accept(callback_url=receiver.url)
    webhook.until_delivery(task_id)

    callback, status = receiver.seen()[0].json, webhook.task(task_id)

    del status["delivery"]
    assert callback.pop("result_at") is None
    assert callback == status


def test_the_status_shows_the_delivery_from_the_first_moment(webhook: Served, receiver: CallbackReceiver) -> None:
    answer = webhook.submit("hang: for ever", callback_url=receiver.url)
    task_id = answer.json()["task_id"]

    nothing_yet: dict[str, Any] = {"state": "waiting", "attempts": [], "next_attempt_at": None, "last_error": None}
    assert answer.json()["delivery"] == nothing_yet
    assert webhook.delivery(task_id) == nothing_yet
    assert receiver.count() == 0
    webhook.cancel_all()


def test_a_delivery_shows_its_one_attempt(webhook: Served, receiver: CallbackReceiver) -> None:
    task_id = webhook.accept(callback_url=receiver.url)

    delivered = webhook.until_delivery(task_id)

    [attempt] = delivered["attempts"]
    assert (attempt["status_code"], attempt["error"]) == (204, None)
    assert attempt["at"] >= webhook.task(task_id)["finished_at"]
    assert (delivered["next_attempt_at"], delivered["last_error"]) == (None, None)


def test_any_2xx_acknowledges(webhook: Served, new_receiver: Callable[[], CallbackReceiver]) -> None:
    receivers = [new_receiver().answers(Response("thanks", status)) for status in (200, 201, 202, 299)]
    tasks = [webhook.accept(callback_url=receiver.url) for receiver in receivers]

    for task_id in tasks:
        webhook.until_delivery(task_id)

    assert [receiver.count() for receiver in receivers] == [1, 1, 1, 1]


def test_a_submit_sent_twice_with_one_key_is_delivered_once(webhook: Served, receiver: CallbackReceiver) -> None:
    body = {"prompt": "compare", "callback_url": receiver.url}
    headers = {"Idempotency-Key": f"key-{receiver.url}"}
    first, second = (webhook.http.post("/agent/submit", json=body, headers=headers).json() for _ in range(2))

    webhook.until_delivery(first["task_id"])

    assert first["task_id"] == second["task_id"]
    assert receiver.count() == 1


def test_the_same_key_with_another_callback_url_is_another_request(
    webhook: Served, new_receiver: Callable[[], CallbackReceiver]
) -> None:
    first, second = new_receiver(), new_receiver()
    headers = {"Idempotency-Key": f"key-{first.url}"}
    answers = [
        webhook.http.post("/agent/submit", json={"prompt": "compare", "callback_url": to.url}, headers=headers)
        for to in (first, second)
    ]

    assert [answer.status_code for answer in answers] == [202, 422]
