"""Submit: 202 with `Location`, `Retry-After` and the task."""

from tests.contract.task_shape import check_task, moment, whole_seconds
from tests.support.serving import Served


def test_submit_answers_202_with_the_task(quick: Served) -> None:
    answer = quick.submit("compare the vendors")

    assert answer.status_code == 202
    assert answer.headers["content-type"] == "application/json"
    task = answer.json()
    check_task(task, quick)
    assert task["status"] in {"pending", "running"}
    assert task["result"] is None
    assert task["error"] is None
    assert task["finished_at"] is None


def test_submit_says_where_the_status_is(quick: Served) -> None:
    answer = quick.submit()

    task_id = answer.json()["task_id"]
    assert answer.headers["location"] == f"/agent/status/{task_id}"
    assert quick.http.get(answer.headers["location"]).json()["task_id"] == task_id


def test_submit_says_in_whole_seconds_when_to_ask(quick: Served) -> None:
    answer = quick.submit()

    assert whole_seconds(answer) == 2  # the poll interval is 1.2 s, and no client should come too early


def test_every_submit_creates_its_own_task(quick: Served) -> None:
    ids = [quick.accept("the same prompt") for _ in range(20)]

    assert len(set(ids)) == 20


def test_times_are_iso_8601_in_utc_and_in_order(quick: Served) -> None:
    task = quick.outcome(quick.accept())

    assert moment(task["created_at"]) <= moment(task["started_at"]) <= moment(task["finished_at"])


def test_a_prompt_may_hold_any_character(quick: Served) -> None:
    for prompt in ("nul \0 inside", "naïve 日本語 🚀", '"quotes" \\ and\nlines', " "):
        task = quick.outcome(quick.accept(prompt))

        assert task["status"] == "completed"
        assert f"prompt of {len(prompt)} characters" in task["result"]
