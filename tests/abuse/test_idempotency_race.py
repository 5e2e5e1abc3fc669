"""Fifty submits with one Idempotency-Key at the same moment: one task, which runs once."""

from pathlib import Path
from uuid import uuid4

from tests.support.serving import Served
from tests.support.waiting import at_once


def test_a_key_that_fifty_use_at_once_runs_one_task_once(served: Served, tmp_path: Path) -> None:
    """`celery_queue` has two web processes here, and each gets some of them."""
    runs, key = tmp_path / "runs", uuid4().hex

    answers = at_once(50, lambda _: served.submit(f"count:{runs}", key))
    [task_id] = {answer.json()["task_id"] for answer in answers}
    assert served.outcome(task_id)["status"] == "completed"
    # Tasks run in the order of acceptance: a second run would have been seen by now.
    for _ in range(10):
        served.outcome(served.accept("after it"))

    assert {answer.status_code for answer in answers} == {202}
    assert runs.read_text().splitlines() == ["one more"]
