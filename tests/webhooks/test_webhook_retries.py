"""A receiver that is down, slow, or says no gets the outcome again, after pauses that grow."""

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from itertools import pairwise

from starlette.responses import Response

from tests.support.answers import hang
from tests.support.scripted_server import Script, bound_socket, scripted_server
from tests.support.serving import Served
from tests.support.waiting import eventually
from tests.webhooks.callbacks import HOOK, TAKEN, delivery, submit, until_delivery, url_of

_FIRST_PAUSE = 0.05  # as in conftest.py
_CLOCKS = 0.02  # a wall clock and a monotonic one may differ by this much


def test_a_receiver_that_answers_500_gets_it_again_until_it_takes_it(webhook: Served, script: Script) -> None:
    script.on(HOOK, Response(status_code=500), Response(status_code=404), Response(status_code=429), TAKEN)

    told = until_delivery(webhook, submit(webhook, url_of(script)), "delivered")

    assert [attempt["status_code"] for attempt in told["attempts"]] == [500, 404, 429, 204]
    assert "500" in told["attempts"][0]["error"]
    assert (told["attempts"][-1]["error"], told["last_error"]) == (None, None)
    assert script.count(HOOK) == 4


def test_the_pauses_between_attempts_grow(webhook: Served, script: Script) -> None:
    script.on(HOOK, *[Response(status_code=500)] * 4, TAKEN)

    until_delivery(webhook, submit(webhook, url_of(script)), "delivered")

    pauses = [later - earlier for earlier, later in pairwise(script.times(HOOK))]
    shortest = [_FIRST_PAUSE * 2**attempt / 2 for attempt in range(4)]  # half of each pause is fixed
    assert all(pause >= least for pause, least in zip(pauses, shortest, strict=True))


def test_a_receiver_that_starts_later_gets_it(webhook: Served) -> None:
    port = bound_socket()
    task_id = submit(webhook, f"http://127.0.0.1:{port.getsockname()[1]}/script-1/hook")
    failed = eventually(lambda: delivery(webhook, task_id), lambda delivery: bool(delivery["attempts"]))

    with scripted_server(port) as scripts:
        script = scripts.script().on(HOOK, TAKEN)
        told = until_delivery(webhook, task_id, "delivered")

    assert failed["state"] == "waiting"
    assert failed["attempts"][0]["status_code"] is None
    assert "ConnectError" in failed["last_error"]
    assert told["attempts"][-1]["status_code"] == 204
    assert script.count(HOOK) == 1


def test_a_receiver_that_says_when_to_come_back_is_obeyed(webhook: Served, new_script: Callable[[], Script]) -> None:
    due = datetime.now(UTC).replace(microsecond=0) + timedelta(seconds=2)
    not_before = time.monotonic() + (due - datetime.now(UTC)).total_seconds() - _CLOCKS
    by_seconds, by_date = (
        new_script().on(HOOK, Response(status_code=status, headers={"retry-after": when}), TAKEN)
        for status, when in ((429, "1"), (503, format_datetime(due, usegmt=True)))
    )

    tasks = [submit(webhook, url_of(script)) for script in (by_seconds, by_date)]
    for task_id in tasks:
        until_delivery(webhook, task_id, "delivered")

    first, second = by_seconds.times(HOOK)
    assert second - first >= 1
    assert by_date.times(HOOK)[1] >= not_before


def test_the_status_says_when_the_next_attempt_is_due(webhook: Served, script: Script) -> None:
    script.on(HOOK, Response(status_code=503, headers={"retry-after": "1800"}), TAKEN)
    task_id = submit(webhook, url_of(script))

    waiting = eventually(lambda: delivery(webhook, task_id), lambda delivery: bool(delivery["next_attempt_at"]))

    due = datetime.fromisoformat(waiting["next_attempt_at"])
    attempted = datetime.fromisoformat(waiting["attempts"][0]["at"])
    assert due - attempted >= timedelta(seconds=1800)
    assert waiting["state"] == "waiting"


def test_a_receiver_that_does_not_answer_in_time_gets_it_again(webhook: Served, script: Script) -> None:
    script.on(HOOK, hang, TAKEN)

    told = until_delivery(webhook, submit(webhook, url_of(script)), "delivered")

    assert [attempt["status_code"] for attempt in told["attempts"]] == [None, 204]
    assert "Timeout" in told["attempts"][0]["error"]
