"""Cancel: ends a task that is no longer wanted."""

from uuid import uuid4

from tests.contract.task_shape import check_problem, check_task
from tests.support.serving import Served
from tests.support.waiting import at_once


def test_a_waiting_task_is_cancelled_and_never_runs(small: Served) -> None:
    running, waiting = small.accept("first"), small.accept("second")
    small.until(running, "running")

    answer = small.cancel(waiting)
    small.cancel(running)  # now its turn would come
    third = small.accept("third")
    small.until(third, "running")

    assert answer.status_code == 200
    check_task(answer.json(), small)
    assert answer.json()["status"] == "cancelled"
    task = small.task(waiting)
    assert task["status"] == "cancelled"
    assert task["started_at"] is None


def test_a_running_task_is_cancelled(small: Served) -> None:
    task_id = small.accept()
    small.until(task_id, "running")

    answer = small.cancel(task_id)

    assert answer.status_code == 200
    check_task(answer.json(), small)
    assert answer.json()["status"] == "cancelled"
    assert answer.json()["finished_at"] is not None
    assert answer.json()["result"] is None
    assert answer.json()["error"] is None


def test_a_cancelled_task_stays_cancelled_when_its_agent_would_have_ended(quick: Served) -> None:
    task_id = quick.accept("would be done in a tenth of a second")
    cancelled = quick.cancel(task_id)
    quick.outcome(quick.accept("takes as long"))
    quick.outcome(quick.accept("takes as long"))

    if cancelled.status_code == 200:  # on a slow machine it may have completed first
        assert quick.task(task_id)["status"] == "cancelled"
    else:
        check_problem(cancelled, 409)


def test_cancelling_twice_is_fine(small: Served) -> None:
    task_id = small.accept()

    first, second = small.cancel(task_id), small.cancel(task_id)

    assert (first.status_code, second.status_code) == (200, 200)
    assert first.json()["finished_at"] == second.json()["finished_at"]


def test_cancelling_many_times_at_once_is_fine(small: Served) -> None:
    task_id = small.accept()

    answers = at_once(20, lambda _: small.cancel(task_id))

    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.json()["finished_at"] for answer in answers}) == 1


def test_a_completed_task_cannot_be_cancelled(quick: Served) -> None:
    task_id = quick.accept()
    quick.outcome(task_id)

    check_problem(quick.cancel(task_id), 409)

    assert quick.task(task_id)["status"] == "completed"


def test_a_failed_task_cannot_be_cancelled(quick: Served) -> None:
    task_id = quick.accept("fail: first")
    quick.outcome(task_id)

    check_problem(quick.cancel(task_id), 409)

    assert quick.task(task_id)["status"] == "failed"


def test_a_task_that_hangs_is_cancelled_at_once(short: Served) -> None:
    task_id = short.accept("hang: for ever")

    assert short.cancel(task_id).json()["status"] == "cancelled"
    assert short.task(task_id)["status"] == "cancelled"


def test_an_unknown_task_cannot_be_cancelled(quick: Served) -> None:
    check_problem(quick.cancel(uuid4().hex), 404)
