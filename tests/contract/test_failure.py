"""A task whose agent raises."""

from tests.contract.task_shape import check_task
from tests.support.serving import Served


def test_an_agent_that_raises_ends_its_task_as_failed(quick: Served) -> None:
    task = quick.outcome(quick.accept("fail: please"))

    check_task(task, quick)
    assert task["status"] == "failed"
    assert task["error"]["code"] == "agent_error"
    assert task["result"] is None
    assert task["finished_at"] is not None


def test_a_failed_task_keeps_the_progress_it_had(quick: Served) -> None:
    task = quick.outcome(quick.accept("fail: half-way"))

    assert task["progress"] == 40  # of five steps, the third raised


def test_an_error_message_is_one_line_for_people(quick: Served) -> None:
    message = quick.outcome(quick.accept("fail: please"))["error"]["message"]

    assert "failed, as requested" in message
    assert "Traceback" not in message
    assert ".py" not in message
    assert "\n" not in message


def test_a_failed_task_does_not_touch_the_next(quick: Served) -> None:
    quick.outcome(quick.accept("fail: first"))

    assert quick.outcome(quick.accept("then work"))["status"] == "completed"
