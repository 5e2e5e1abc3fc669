"""An outcome that cannot be delivered becomes a dead letter: kept, listed, and sent again on request."""

from collections.abc import Callable

from starlette.responses import Response

from tests.support.callback_receiver import ACKNOWLEDGED, CallbackReceiver
from tests.support.serving import Served

_GONE = Response(status_code=410)
_ATTEMPTS = 5  # as in conftest.py


def test_410_ends_the_delivery_immediately(webhook: Served, receiver: CallbackReceiver) -> None:
    task_id = webhook.accept(callback_url=receiver.answers(_GONE).url)

    dead = webhook.until_delivery(task_id, "dead")

    assert [attempt["status_code"] for attempt in dead["attempts"]] == [410]
    assert dead["next_attempt_at"] is None
    assert receiver.count() == 1


def test_a_redirect_is_a_failure_and_is_never_followed(
    webhook: Served, new_receiver: Callable[[], CallbackReceiver]
) -> None:
    target = new_receiver()
    target.script.on("GET /hook", ACKNOWLEDGED)
    receivers = [
        new_receiver().answers(Response(status_code=status, headers={"location": target.url}))
        for status in (301, 302, 303, 307, 308)
    ]
    tasks = [webhook.accept(callback_url=receiver.url) for receiver in receivers]

    for task_id in tasks:
        dead = webhook.until_delivery(task_id, "dead")
        assert len(dead["attempts"]) == _ATTEMPTS

    assert [receiver.count() for receiver in receivers] == [_ATTEMPTS] * len(receivers)
    assert (target.count(), target.script.count("GET /hook")) == (0, 0)


def test_a_receiver_that_never_acknowledges_leaves_a_dead_letter_that_shows_every_attempt(
    webhook: Served, receiver: CallbackReceiver
) -> None:
    task_id = webhook.accept(callback_url=receiver.answers(Response(status_code=500)).url)

    dead = webhook.until_delivery(task_id, "dead")

    assert [attempt["status_code"] for attempt in dead["attempts"]] == [500] * _ATTEMPTS
    assert [attempt["at"] for attempt in dead["attempts"]] == sorted(attempt["at"] for attempt in dead["attempts"])
    assert dead["last_error"] == "the receiver responded with 500"
    assert task_id in webhook.dead_letters()
    assert webhook.task(task_id)["status"] == "completed", "the task itself has not failed"


def test_a_dead_letter_is_sent_again_on_request(webhook: Served, receiver: CallbackReceiver) -> None:
    task_id = webhook.accept(callback_url=receiver.answers(_GONE, ACKNOWLEDGED).url)
    webhook.until_delivery(task_id, "dead")

    answer = webhook.http.post(f"/agent/redeliver/{task_id}")
    delivered = webhook.until_delivery(task_id)

    assert answer.status_code == 202
    assert answer.headers["location"] == f"/agent/status/{task_id}"
    assert answer.json()["delivery"]["state"] == "waiting"
    assert [attempt["status_code"] for attempt in delivered["attempts"]] == [410, 204]
    assert task_id not in webhook.dead_letters()
    assert len({request.headers["webhook-id"] for request in receiver.seen()}) == 1


def test_a_dead_letter_that_is_refused_again_is_a_dead_letter_again(
    webhook: Served, receiver: CallbackReceiver
) -> None:
    task_id = webhook.accept(callback_url=receiver.answers(_GONE).url)
    webhook.until_delivery(task_id, "dead")

    webhook.http.post(f"/agent/redeliver/{task_id}")
    receiver.until_seen(2)
    dead = webhook.until_delivery(task_id, "dead")

    assert len(dead["attempts"]) == 2
    assert webhook.dead_letters().count(task_id) == 1


def test_the_oldest_dead_letter_is_listed_first(webhook: Served, receiver: CallbackReceiver) -> None:
    receiver.answers(_GONE)
    tasks = []
    for _ in range(3):
        tasks.append(webhook.accept(callback_url=receiver.url))
        webhook.until_delivery(tasks[-1], "dead")

    assert [task_id for task_id in webhook.dead_letters() if task_id in tasks] == tasks
    assert len(webhook.http.get("/agent/dead-letters", params={"limit": 1}).json()) == 1


def test_a_delivery_that_succeeded_or_still_waits_is_not_sent_again(
    webhook: Served, new_receiver: Callable[[], CallbackReceiver]
) -> None:
    delivered = webhook.accept(callback_url=new_receiver().url)
    webhook.until_delivery(delivered)
    waiting = webhook.accept("hang: for ever", callback_url=new_receiver().url)

    for task_id in (delivered, waiting):
        answer = webhook.http.post(f"/agent/redeliver/{task_id}")
        assert answer.status_code == 409
        assert answer.json()["title"] == "Not a dead letter"
    webhook.cancel_all()


def test_an_unknown_task_cannot_be_sent_again(webhook: Served) -> None:
    answer = webhook.http.post("/agent/redeliver/0123456789abcdef")

    assert answer.status_code == 404
    assert answer.headers["content-type"] == "application/problem+json"
