"""`Prefer: wait=N` holds an answer until the task is finished, or N seconds (RFC 7240, 4.3)."""

import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.contract.task_shape import whole_seconds
from tests.support.serving import Served
from tests.support.waiting import at_once


def test_it_answers_as_soon_as_the_task_is_finished(quick: Served) -> None:
    began = time.monotonic()
    task_id = quick.accept()

    answer = quick.status(task_id, prefer="wait=25")

    assert answer.json()["status"] == "completed"
    assert answer.headers["preference-applied"] == "wait=25"
    assert time.monotonic() - began < 20, "it was held although the task was finished"


def test_it_answers_immediately_if_the_task_is_already_finished(quick: Served) -> None:
    task_id = quick.accept()
    quick.outcome(task_id)
    began = time.monotonic()

    answer = quick.status(task_id, prefer="wait=25")

    assert answer.json()["status"] == "completed"
    assert "retry-after" not in answer.headers
    assert time.monotonic() - began < 20, "it was held although the task was finished"


def test_it_answers_after_the_wait_or_the_cap_when_the_task_goes_on(small: Served) -> None:
    task_id = small.accept()
    began = time.monotonic()

    # the cap is one second here, and the test would time out long before the second wait
    answers = at_once(2, lambda number: small.status(task_id, prefer=f"wait={(1, 999_999_999)[number]}"))

    assert time.monotonic() - began >= 0.9
    for answer in answers:
        assert answer.json()["status"] in {"pending", "running"}
        assert answer.headers["preference-applied"] == "wait=1"
        assert whole_seconds(answer) == 0  # the client has waited already


def test_a_wait_of_zero_does_not_wait(small: Served) -> None:
    answer = small.status(small.accept(), prefer="wait=0")

    assert answer.json()["status"] in {"pending", "running"}
    assert answer.headers["preference-applied"] == "wait=0"


def test_cancelling_ends_a_wait(short: Served) -> None:
    task_id = short.accept("hang: until it is cancelled")
    with ThreadPoolExecutor(1) as threads:
        held = short.held(threads, task_id)
        short.cancel(task_id)

        assert held.result().json()["status"] == "cancelled"


def test_many_may_wait_for_one_task(quick: Served) -> None:
    task_id = quick.accept()

    answers = at_once(20, lambda _: quick.status(task_id, prefer="wait=25"))

    assert {answer.json()["status"] for answer in answers} == {"completed"}


@pytest.mark.parametrize(
    "preference", ["wait", "wait=", "wait=soon", "wait=-1", "wait=1.5", "wait=1e9", "await=5", ","]
)
def test_a_preference_that_cannot_be_read_is_ignored(small: Served, preference: str) -> None:
    answer = small.status(small.accept(), prefer=preference)

    assert answer.status_code == 200
    assert "preference-applied" not in answer.headers


@pytest.mark.parametrize("preference", ["respond-async, wait=0", "Wait=0", 'wait="0"', "wait = 0", "wait=0; foo"])
def test_a_preference_may_be_written_in_any_way_the_rfc_allows(small: Served, preference: str) -> None:
    answer = small.status(small.accept(), prefer=preference)

    assert answer.headers["preference-applied"] == "wait=0"


def test_without_a_preference_nothing_is_applied(small: Served) -> None:
    assert "preference-applied" not in small.status(small.accept()).headers
