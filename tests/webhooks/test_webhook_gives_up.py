"""What cannot be told becomes a dead letter: kept, listed, and sent again when somebody asks."""

from collections.abc import Callable

from starlette.responses import Response

from tests.support.scripted_server import Script
from tests.support.serving import Served
from tests.webhooks.callbacks import HOOK, TAKEN, dead_letters, submit, until_delivery, url_of

_GONE = Response(status_code=410)
_ATTEMPTS = 5  # as in conftest.py


def test_410_stops_at_once(webhook: Served, script: Script) -> None:
    task_id = submit(webhook, url_of(script.on(HOOK, _GONE)))

    dead = until_delivery(webhook, task_id, "dead")

    assert [attempt["status_code"] for attempt in dead["attempts"]] == [410]
    assert dead["next_attempt_at"] is None
    assert script.count(HOOK) == 1


def test_a_redirect_is_a_failure_and_is_never_followed(webhook: Served, new_script: Callable[[], Script]) -> None:
    target = new_script().on(HOOK, TAKEN).on("GET /hook", TAKEN)
    receivers = [
        new_script().on(HOOK, Response(status_code=status, headers={"location": url_of(target)}))
        for status in (301, 302, 303, 307, 308)
    ]
    tasks = [submit(webhook, url_of(receiver)) for receiver in receivers]

    for task_id in tasks:
        dead = until_delivery(webhook, task_id, "dead")
        assert len(dead["attempts"]) == _ATTEMPTS

    assert [receiver.count(HOOK) for receiver in receivers] == [_ATTEMPTS] * len(receivers)
    assert (target.count(HOOK), target.count("GET /hook")) == (0, 0)


def test_a_receiver_that_never_takes_it_leaves_a_dead_letter_that_shows_every_attempt(
    webhook: Served, script: Script
) -> None:
    task_id = submit(webhook, url_of(script.on(HOOK, Response(status_code=500))))

    dead = until_delivery(webhook, task_id, "dead")

    assert [attempt["status_code"] for attempt in dead["attempts"]] == [500] * _ATTEMPTS
    assert [attempt["at"] for attempt in dead["attempts"]] == sorted(attempt["at"] for attempt in dead["attempts"])
    assert dead["last_error"] == "the receiver answered 500"
    assert task_id in dead_letters(webhook)
    assert webhook.task(task_id)["status"] == "completed", "the task itself has not failed"


def test_a_dead_letter_is_sent_again_when_asked_for(webhook: Served, script: Script) -> None:
    task_id = submit(webhook, url_of(script.on(HOOK, _GONE, TAKEN)))
    until_delivery(webhook, task_id, "dead")

    answer = webhook.http.post(f"/agent/redeliver/{task_id}")
    told = until_delivery(webhook, task_id, "delivered")

    assert answer.status_code == 202
    assert answer.headers["location"] == f"/agent/status/{task_id}"
    assert answer.json()["delivery"]["state"] == "waiting"
    assert [attempt["status_code"] for attempt in told["attempts"]] == [410, 204]
    assert task_id not in dead_letters(webhook)
    assert len({request.headers["webhook-id"] for request in script.seen(HOOK)}) == 1


def test_a_dead_letter_that_is_refused_again_is_a_dead_letter_again(webhook: Served, script: Script) -> None:
    task_id = submit(webhook, url_of(script.on(HOOK, _GONE)))
    until_delivery(webhook, task_id, "dead")

    webhook.http.post(f"/agent/redeliver/{task_id}")
    script.until_seen(HOOK, 2)
    dead = until_delivery(webhook, task_id, "dead")

    assert len(dead["attempts"]) == 2
    assert dead_letters(webhook).count(task_id) == 1


def test_the_oldest_dead_letter_is_listed_first(webhook: Served, script: Script) -> None:
    script.on(HOOK, _GONE)
    tasks = []
    for _ in range(3):
        tasks.append(submit(webhook, url_of(script)))
        until_delivery(webhook, tasks[-1], "dead")

    assert [task_id for task_id in dead_letters(webhook) if task_id in tasks] == tasks
    assert len(webhook.http.get("/agent/dead-letters", params={"limit": 1}).json()) == 1


def test_what_is_delivered_or_still_waits_is_not_sent_again(webhook: Served, new_script: Callable[[], Script]) -> None:
    delivered = submit(webhook, url_of(new_script().on(HOOK, TAKEN)))
    until_delivery(webhook, delivered, "delivered")
    waiting = submit(webhook, url_of(new_script().on(HOOK, TAKEN)), "hang: for ever")

    for task_id in (delivered, waiting):
        answer = webhook.http.post(f"/agent/redeliver/{task_id}")
        assert answer.status_code == 409
        assert answer.json()["title"] == "Not a dead letter"
    webhook.cancel_all()


def test_an_unknown_task_cannot_be_sent_again(webhook: Served) -> None:
    answer = webhook.http.post("/agent/redeliver/0123456789abcdef")

    assert answer.status_code == 404
    assert answer.headers["content-type"] == "application/problem+json"
