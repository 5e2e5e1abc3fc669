"""`kit check --url` and a task that is not completed in time: whether that is the server's fault."""

import json

import pytest

from tests.checkpoints.engine.actors.observed_task import Exchange, ObservedTask
from tests.checkpoints.engine.diagnosis.failures import Inconclusive, Wrong
from tests.checkpoints.engine.http.http_client import Response
from tests.checkpoints.engine.scenarios.contract import ends_well


def watched(*seen: tuple[str, int]) -> ObservedTask:
    """A task that was seen with these statuses and percents, a second apart."""
    task = ObservedTask("task A", "Compare the vendors.")
    for second, (status, progress) in enumerate(seen):
        body = json.dumps({"task_id": "1", "status": status, "progress": progress, "error": None}).encode()
        task.polls.append(Exchange("GET /agent/status/1", Response(200, {}, body), second, second))
    return task


@pytest.mark.parametrize(
    ("seen", "code"),
    [
        ([("pending", 0)] * 4, "PENDING_FOREVER"),
        ([("pending", 0), *[("running", 0)] * 4], "STUCK_RUNNING"),
        ([("running", 0), ("running", 50), *[("running", 100)] * 4], "STUCK_RUNNING"),
        ([*[("pending", 0)] * 4, ("completed", 100)], "NOT_MARKED_RUNNING"),
    ],
    ids=["pending", "running", "running-at-100", "never-running"],
)
def test_a_task_that_makes_no_progress_is_the_servers_fault(seen: list[tuple[str, int]], code: str) -> None:
    with pytest.raises(Wrong) as wrong:
        ends_well(watched(*seen))
    assert wrong.value.code == code


@pytest.mark.parametrize(
    "seen",
    [
        [("running", percent) for percent in (0, 10, 20, 30, 40)],
        [("running", 0), ("failed", 0)],
    ],
    ids=["still-at-work", "its-agent-failed"],
)
def test_a_slow_or_failing_agent_is_not_the_servers_fault(seen: list[tuple[str, int]]) -> None:
    with pytest.raises(Inconclusive):
        ends_well(watched(*seen))


def test_a_task_that_was_seen_running_and_is_completed_ended_well() -> None:
    ends_well(watched(("pending", 0), ("running", 10), ("completed", 100)))


def test_a_task_that_is_never_known_comes_too_late() -> None:
    task = ObservedTask("task A", "Compare the vendors.")
    task.polls.append(Exchange("GET /agent/status/1", Response(404, {}, b""), 0, 0))
    with pytest.raises(Wrong) as wrong:
        ends_well(task)
    assert wrong.value.code == "RECORD_TOO_LATE"
