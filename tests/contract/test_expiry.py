"""A finished record is kept for KIT_TASK_TTL_SECONDS, which is three seconds here, and then forgotten."""

from uuid import uuid4

from tests.contract.task_shape import check_problem
from tests.serving import Served
from tests.waiting import eventually


def test_a_finished_task_is_kept_for_a_while_and_then_unknown(short: Served) -> None:
    key = uuid4().hex
    expiring = [short.accept("completes", key), short.accept("fail: soon"), short.accept("is cancelled")]
    short.cancel(expiring[2])
    for task_id in expiring:
        short.outcome(task_id)  # and is still there

    for task_id in expiring:
        answer = eventually(lambda task_id=task_id: short.status(task_id), lambda answer: answer.status_code != 200)
        check_problem(answer, 404)
        check_problem(short.cancel(task_id), 404)

    # its key has gone with it
    again = short.submit("another body", key)
    assert again.status_code == 202
    assert again.json()["task_id"] not in expiring


def test_an_unfinished_task_does_not_expire(short: Served) -> None:
    # three tasks of one second each, for two workers, and a fourth that waits for them
    for number in range(4):
        short.accept(f"hang: {number}")
    last = short.accept("waits")

    assert short.outcome(last)["status"] == "completed"
