"""Idempotency-Key: a submit that can be sent again."""

from uuid import uuid4

from tests.contract.task_shape import check_problem
from tests.support.serving import Served
from tests.support.waiting import at_once


def test_the_same_key_with_the_same_body_gives_the_same_task(quick: Served) -> None:
    key = uuid4().hex

    first, second = quick.submit("once", key), quick.submit("once", key)

    assert (first.status_code, second.status_code) == (202, 202)
    assert first.json()["task_id"] == second.json()["task_id"]
    assert second.headers["location"] == first.headers["location"]


def test_a_repeat_after_the_end_gives_the_outcome(quick: Served) -> None:
    key = uuid4().hex
    outcome = quick.outcome(quick.accept("once", key))

    repeat = quick.submit("once", key)

    assert repeat.status_code == 202
    assert repeat.json()["task_id"] == outcome["task_id"]
    assert repeat.json()["status"] == "completed"
    assert repeat.json()["result"] == outcome["result"]


def test_the_same_key_with_another_body_is_refused(quick: Served) -> None:
    key = uuid4().hex
    quick.accept("one thing", key)

    problem = check_problem(quick.submit("another thing", key), 422)

    assert "Idempotency-Key" in problem["title"] + problem["detail"]


def test_fifty_submits_at_once_with_one_key_give_one_task(quick: Served) -> None:
    key = uuid4().hex

    answers = at_once(50, lambda _: quick.submit("raced", key))

    assert {answer.status_code for answer in answers} == {202}
    task_ids = {answer.json()["task_id"] for answer in answers}
    assert len(task_ids) == 1
    assert quick.outcome(task_ids.pop())["status"] == "completed"


def test_other_keys_and_no_key_give_other_tasks(quick: Served) -> None:
    ids = {quick.accept("same", uuid4().hex), quick.accept("same", uuid4().hex), quick.accept("same")}

    assert len(ids) == 3


def test_a_key_has_1_to_255_characters(quick: Served) -> None:
    check_problem(quick.submit("x", ""), 422)
    check_problem(quick.submit("x", "k" * 256), 422)
    assert quick.submit("x", uuid4().hex.ljust(255, "k")).status_code == 202


def test_a_repeat_makes_no_second_task_wait(small: Served) -> None:
    key = uuid4().hex
    for _ in range(5):  # more than the server would accept as separate tasks
        assert small.submit("once", key).status_code == 202

    assert small.submit("second").status_code == 202
    assert small.submit("third").status_code == 202
    assert small.submit("fourth").status_code == 503
