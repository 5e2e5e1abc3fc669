"""A task that runs past KIT_TASK_TIMEOUT_SECONDS."""

from tests.contract.task_shape import check_task
from tests.serving import Served


def test_a_hanging_agent_ends_as_failed_and_the_server_answers_meanwhile(short: Served) -> None:
    # given a worker that is busy with an agent that never comes back
    hanging = short.accept("hang: for ever")
    short.until(hanging, "running")

    # when another task comes
    other = short.outcome(short.accept("a quick one"))
    task = short.outcome(hanging)

    # then it is done beside the hanging one, which ends at its timeout
    assert other["status"] == "completed"
    check_task(task, short)
    assert task["status"] == "failed"
    assert task["error"]["code"] == "timeout"
    assert "1 s" in task["error"]["message"]
    assert task["result"] is None


def test_workers_are_free_again_after_timeouts(short: Served) -> None:
    for number in range(2):  # as many as there are workers
        short.accept(f"hang: {number}")

    after = short.outcome(short.accept("waits for a worker"))

    assert after["status"] == "completed"
