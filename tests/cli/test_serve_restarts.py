"""A process that dies while a pattern is served is restarted, and that is reported."""

import os
import signal

import pytest

from patterns import IN_MEMORY_QUEUE
from patterns.serving.processes import Family, ProcessFailed
from patterns.serving.running import Running
from tests.cli.serve_process import ServeProcess
from tests.support.waiting import eventually


def _kill(served: ServeProcess, name: str, pid: int) -> int:
    """Kill a child, and return the process that replaces it."""
    os.kill(pid, signal.SIGKILL)
    said = served.until_said(rf"The {name} \(process {pid}\) was ended by SIGKILL. Restarted as process (\d+)\.")
    return int(said[1])


def test_a_killed_worker_and_a_killed_web_process_are_started_again_and_sigterm_stops_them_all(
    served_celery: list[ServeProcess],
) -> None:
    with served_celery.pop() as served:
        for name in ("web server", "worker"):
            assert _kill(served, name, served.pid(name)) != served.pid(name)

        eventually(served.healthy, bool)
        task_id = served.submit("compare the vendors")
        eventually(lambda: served.status(task_id), lambda status: status == "running")

        served.signal(signal.SIGTERM)
        assert served.until_exit() == 0
        served.until_all_gone()
    said_last = "".join(served.out).partition("Ctrl-C stops everything.\n")[2].splitlines()
    assert said_last[0].startswith("Stopping: waiting up to 0.5 s for running tasks.")
    assert said_last[1:] == ["Stopped."]


def test_a_process_that_keeps_dying_is_not_restarted_for_ever() -> None:
    said: list[str] = []
    with Family() as family:
        web = family.start("web server", ["/bin/sh", "-c", "exit 3"], os.environ)
        served = Running(IN_MEMORY_QUEUE, "http://127.0.0.1:9", None, None, [], [web], family)

        with pytest.raises(
            ProcessFailed, match="The web server ended with exit code 3, its fifth exit within a minute"
        ):
            served.supervise(said.append)

    assert len(said) == 4
