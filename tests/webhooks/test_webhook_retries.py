"""A receiver that is down, slow, or refuses gets the outcome again, after pauses that grow."""

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from itertools import pairwise

from starlette.responses import Response

from tests.support.callback_receiver import ACKNOWLEDGED, CallbackReceiver
from tests.support.scripted_server import bound_socket, hang, scripted_server
from tests.support.serving import Served
from tests.support.waiting import eventually

_FIRST_PAUSE = 0.05  # as in conftest.py
_CLOCKS = 0.02  # a wall clock and a monotonic one may differ by this much


def test_a_delivery_is_retried_until_it_is_acknowledged(webhook: Served, receiver: CallbackReceiver) -> None:
    receiver.answers(Response(status_code=500), Response(status_code=404), Response(status_code=429), ACKNOWLEDGED)

    delivered = webhook.until_delivery(webhook.accept(callback_url=receiver.url))

    assert [attempt["status_code"] for attempt in delivered["attempts"]] == [500, 404, 429, 204]
    assert "500" in delivered["attempts"][0]["error"]
    assert (delivered["attempts"][-1]["error"], delivered["last_error"]) == (None, None)
    assert receiver.count() == 4


def test_the_pauses_between_attempts_grow(webhook: Served, receiver: CallbackReceiver) -> None:
    receiver.answers(*[Response(status_code=500)] * 4, ACKNOWLEDGED)

    webhook.until_delivery(webhook.accept(callback_url=receiver.url))

    pauses = [later - earlier for earlier, later in pairwise(receiver.times())]
    shortest = [_FIRST_PAUSE * 2**attempt / 2 for attempt in range(4)]  # half of each pause is fixed
    assert all(pause >= least for pause, least in zip(pauses, shortest, strict=True))


def test_a_receiver_that_starts_later_gets_it(webhook: Served) -> None:
    port = bound_socket()
    task_id = webhook.accept(callback_url=f"http://127.0.0.1:{port.getsockname()[1]}/script-1/hook")
    failed = eventually(lambda: webhook.delivery(task_id), lambda delivery: bool(delivery["attempts"]))

    with scripted_server(port) as scripts:
        receiver = CallbackReceiver(scripts.script())
        delivered = webhook.until_delivery(task_id)

    assert failed["state"] == "waiting"
    assert failed["attempts"][0]["status_code"] is None
    assert "ConnectError" in failed["last_error"]
    assert delivered["attempts"][-1]["status_code"] == 204
    assert receiver.count() == 1


def test_the_retry_after_of_a_receiver_is_obeyed(webhook: Served, new_receiver: Callable[[], CallbackReceiver]) -> None:
    due = datetime.now(UTC).replace(microsecond=0) + timedelta(seconds=2)
    not_before = time.monotonic() + (due - datetime.now(UTC)).total_seconds() - _CLOCKS
    by_seconds, by_date = (
        new_receiver().answers(Response(status_code=status, headers={"retry-after": when}), ACKNOWLEDGED)
        for status, when in ((429, "1"), (503, format_datetime(due, usegmt=True)))
    )

    tasks = [webhook.accept(callback_url=receiver.url) for receiver in (by_seconds, by_date)]
    for task_id in tasks:
        webhook.until_delivery(task_id)

    first, second = by_seconds.times()
    assert second - first >= 1
    assert by_date.times()[1] >= not_before


def test_the_status_says_when_the_next_attempt_is_due(webhook: Served, receiver: CallbackReceiver) -> None:
    receiver.answers(Response(status_code=503, headers={"retry-after": "1800"}), ACKNOWLEDGED)
    task_id = webhook.accept(callback_url=receiver.url)

    waiting = eventually(lambda: webhook.delivery(task_id), lambda delivery: bool(delivery["next_attempt_at"]))

    due = datetime.fromisoformat(waiting["next_attempt_at"])
    attempted = datetime.fromisoformat(waiting["attempts"][0]["at"])
    assert due - attempted >= timedelta(seconds=1800)
    assert waiting["state"] == "waiting"


def test_a_receiver_that_does_not_answer_in_time_gets_another_attempt(
    webhook: Served, receiver: CallbackReceiver
) -> None:
    receiver.answers(hang, ACKNOWLEDGED)

    delivered = webhook.until_delivery(webhook.accept(callback_url=receiver.url))

    assert [attempt["status_code"] for attempt in delivered["attempts"]] == [None, 204]
    assert "Timeout" in delivered["attempts"][0]["error"]
