"""A task from pending to completed."""

from patterns.contract import FINISHED
from tests.contract.task_shape import check_task
from tests.support.serving import Json, Served
from tests.support.waiting import eventually


def test_submit_answers_before_the_work_is_done(small: Served) -> None:
    task_id = small.accept("work that does not end by itself")  # and yet there was an answer

    assert small.task(task_id)["status"] in {"pending", "running"}


def test_a_task_waits_until_a_worker_is_free(small: Served) -> None:
    first, second = small.accept("first"), small.accept("second")
    small.until(first, "running")

    waiting = small.task(second)

    assert waiting["status"] == "pending"
    assert waiting["started_at"] is None
    assert waiting["progress"] == 0


def test_a_running_task_says_since_when(small: Served) -> None:
    task = small.until(small.accept(), "running")

    check_task(task, small)
    assert task["started_at"] is not None
    assert task["finished_at"] is None


def test_progress_never_goes_back_and_ends_at_100(quick: Served) -> None:
    task_id, seen = quick.accept(), list[Json]()

    def look() -> Json:
        seen.append(quick.task(task_id))
        return seen[-1]

    eventually(look, lambda task: task["status"] in FINISHED)
    progress = [task["progress"] for task in seen]
    assert progress == sorted(progress)
    assert progress[-1] == 100
    assert all(figure < 100 or task["status"] != "pending" for figure, task in zip(progress, seen, strict=True))


def test_statuses_come_in_order(quick: Served) -> None:
    task_id, seen = quick.accept(), list[str]()

    def look() -> str:
        seen.append(quick.task(task_id)["status"])
        return seen[-1]

    eventually(look, lambda status: status in FINISHED)
    order = ["pending", "running", "completed"]
    assert [order.index(status) for status in seen] == sorted(order.index(status) for status in seen)


def test_a_running_task_shows_its_progress(small: Served) -> None:
    task_id = small.accept()

    task = eventually(lambda: small.task(task_id), lambda task: task["progress"] > 0)

    assert task["status"] == "running"


def test_a_completed_task_has_its_result(quick: Served) -> None:
    prompt = "seventeen letters"

    task = quick.outcome(quick.accept(prompt))

    check_task(task, quick)
    assert task["status"] == "completed"
    assert "prompt of 17 characters" in task["result"]
    assert task["error"] is None
    assert task["finished_at"] is not None


def test_a_finished_task_never_changes(quick: Served) -> None:
    task_id = quick.accept()
    before = quick.outcome(task_id)

    quick.outcome(quick.accept("another one"))

    after = quick.task(task_id)
    before.pop("delivery", None), after.pop("delivery", None)  # the delivery comes after the end of the task
    assert after == before
