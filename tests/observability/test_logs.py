"""The log of each pattern: what happened to a task, as lines that have its id, also those of the user's own agent."""

import json
import re
from datetime import UTC, datetime, timedelta

from tests.support.serving import Json, Served
from tests.support.waiting import eventually


def log_of(served: Served) -> str:
    """All that its processes have written."""
    path = served.running.family.log
    assert path is not None
    return path.read_text()


def lines_about(served: Served, task_id: str) -> list[Json]:
    """The lines about one task, oldest first."""
    lines = [json.loads(line) for line in log_of(served).splitlines()]
    return [line for line in lines if line.get("task_id") == task_id]


def until_said(served: Served, task_id: str, message: str) -> list[Json]:
    """The lines about one task, once one of them says this. The answer to a client may leave before the line."""
    return eventually(
        lambda: lines_about(served, task_id), lambda lines: message in [line["message"] for line in lines]
    )


def own(lines: list[Json]) -> list[str]:
    """The messages of the kit and of the agent, in order, without those of Celery."""
    return [line["message"] for line in lines if line["logger"].startswith(("longjobs", "my_agent"))]


def test_every_step_of_a_task_is_logged(served: Served) -> None:
    task_id = served.accept()
    served.outcome(task_id)

    lines = until_said(served, task_id, "finished")

    # A worker may be quicker than the web process's line about its own answer.
    assert sorted(own(lines)[:4]) == sorted(["accepted", "started", "I begin", "finished"])
    assert own(lines).index("started") < own(lines).index("I begin") < own(lines).index("finished")


def test_the_agents_own_lines_have_the_id_of_the_task_wherever_it_runs(served: Served) -> None:
    first, second = served.accept("one"), served.accept("two")
    served.outcome(second)

    for task_id in (first, second):
        (said,) = [line for line in lines_about(served, task_id) if line["logger"] == "my_agent"]
        assert said["message"] == "I begin"
        assert said["level"] == "info"


def test_the_last_line_says_how_the_task_ended_and_how_long_it_ran(served: Served) -> None:
    completed, failed = served.accept(), served.accept("fail: as told")
    served.outcome(failed)
    running = served.accept("hang: until it is cancelled")
    served.until(running, "running")
    waiting = served.accept()
    served.cancel(waiting)
    served.cancel(running)

    def end(task_id: str) -> Json:
        (line,) = [line for line in until_said(served, task_id, "finished") if line["message"] == "finished"]
        return line

    assert end(completed)["state"] == "completed"
    assert end(completed)["seconds"] > 0.09
    assert "code" not in end(completed)
    assert (end(failed)["state"], end(failed)["code"]) == ("failed", "agent_error")
    assert end(running)["state"] == "cancelled"
    assert end(running)["seconds"] > 0
    assert end(waiting)["state"] == "cancelled"
    assert "seconds" not in end(waiting)  # it never ran


def test_each_line_is_one_object_with_a_time_in_utc(served: Served) -> None:
    task_id = served.accept()
    served.outcome(task_id)

    for line in until_said(served, task_id, "finished"):
        assert list(line)[:4] == ["time", "level", "logger", "message"]
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", line["time"])
        assert abs(datetime.now(UTC) - datetime.fromisoformat(line["time"])) < timedelta(minutes=2)
        assert isinstance(line["process"], int)


def test_the_prompt_is_not_in_the_log(served: Served) -> None:
    served.outcome(served.accept("a secret of the client"))

    assert "a secret of the client" not in log_of(served)


def test_each_process_logs_what_it_does_itself(fleet: dict[str, Served]) -> None:
    served = fleet["celery_queue"]
    task_id = served.accept()
    served.outcome(task_id)
    lines = until_said(served, task_id, "finished")

    web = {child.pid for child in served.running.web}
    said_by_web = {line["message"] for line in lines if line["process"] in web}
    assert said_by_web == {"accepted"}
    assert any(line["logger"].startswith("celery.") for line in lines)  # its own lines have the id too


def test_each_delivery_attempt_is_logged_with_its_outcome(caller: Served) -> None:
    taken = caller.accept("work", callback_url=caller.callback_url)
    caller.until_delivery(taken)
    refused = caller.accept("work", callback_url="http://127.0.0.1:9/nobody")
    caller.until_delivery(refused, "dead")

    def attempts(task_id: str) -> list[Json]:
        return [line for line in lines_about(caller, task_id) if line["message"] == "delivery attempt"]

    # A worker writes the line just after the record.
    eventually(lambda: [len(attempts(task_id)) for task_id in (taken, refused)], lambda counts: counts == [1, 2])
    (acknowledged,) = attempts(taken)
    assert (acknowledged["attempt"], acknowledged["state"], acknowledged["status_code"]) == (1, "delivered", 204)
    first, last = attempts(refused)
    assert (first["attempt"], last["attempt"]) == (1, 2)
    assert (first["state"], last["state"]) == ("waiting", "dead")
    assert "ConnectError" in first["error"]
    assert "status_code" not in first


def test_by_default_a_healthy_server_logs_nothing(silent: Served) -> None:
    silent.outcome(silent.accept())
    silent.outcome(silent.accept("fail: as told"))

    assert log_of(silent) == ""
