"""503 when KIT_QUEUE_SIZE tasks are accepted and unfinished. Here that is three, and one worker."""

from uuid import uuid4

from tests.contract.task_shape import check_problem, whole_seconds
from tests.support.serving import Served
from tests.support.waiting import at_once, eventually


def test_exactly_as_many_as_the_queue_holds_are_accepted(small: Served) -> None:
    answers = [small.submit(f"prompt {number}") for number in range(5)]

    assert [answer.status_code for answer in answers] == [202, 202, 202, 503, 503]


def test_a_full_queue_sends_retry_after(small: Served) -> None:
    for _ in range(3):
        small.accept()

    answer = small.submit()

    check_problem(answer, 503)
    assert whole_seconds(answer) >= 1


def test_the_limit_holds_for_submits_at_the_same_moment(small: Served) -> None:
    answers = at_once(30, lambda number: small.submit(f"prompt {number}"))

    statuses = sorted(answer.status_code for answer in answers)
    assert statuses == [202] * 3 + [503] * 27


def test_a_full_queue_still_answers_everything_else(small: Served) -> None:
    task_id = small.accept()
    small.accept()
    small.accept()

    assert small.submit().status_code == 503
    assert small.status(task_id).status_code == 200
    assert small.health() == 200


def test_nothing_is_accepted_by_a_503(small: Served) -> None:
    accepted = [small.accept(f"prompt {number}") for number in range(3)]
    key = uuid4().hex
    assert small.submit("refused", key).status_code == 503

    small.cancel(accepted[0])

    # the key is still free, even for another body
    answer = small.submit("another body", key)
    assert answer.status_code == 202
    assert answer.json()["task_id"] not in accepted


def test_a_cancelled_waiting_task_gives_up_its_place(small: Served) -> None:
    running, waiting, _ = [small.accept(f"prompt {number}") for number in range(3)]
    small.until(running, "running")
    assert small.submit().status_code == 503

    small.cancel(waiting)

    assert small.submit().status_code == 202
    assert small.submit().status_code == 503


def test_a_cancelled_running_task_gives_up_its_place_and_its_worker(small: Served) -> None:
    running, waiting, _ = [small.accept(f"prompt {number}") for number in range(3)]
    small.until(running, "running")
    assert small.submit().status_code == 503

    small.cancel(running)

    assert small.submit().status_code == 202
    small.until(waiting, "running")


def test_finished_tasks_give_up_their_places(short: Served) -> None:
    # the queue holds six here, and a task is done in a tenth of a second
    accepted = [eventually(short.submit, lambda answer: answer.status_code == 202) for _ in range(15)]

    assert len({answer.json()["task_id"] for answer in accepted}) == 15
