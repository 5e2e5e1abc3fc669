"""What dies while it is served is started again, and said so."""

import os
import re
import signal
from pathlib import Path

from tests.kit.command import KIT
from tests.kit.serve_process import ServeProcess
from tests.serving import QUICK_AGENT
from tests.waiting import eventually

_SETTINGS = {**QUICK_AGENT, "KIT_GRACE_SECONDS": "0.5"}


def _kill(served: ServeProcess, name: str, pid: int) -> int:
    """Kill a child, and give the process that it is started again as."""
    os.kill(pid, signal.SIGKILL)
    said = served.until_said(rf"The {name} \(process {pid}\) was ended by SIGKILL. Started again as process (\d+)\.")
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
    assert "Stopped." in "".join(served.out)


def test_what_dies_again_and_again_is_given_up(tmp_path: Path) -> None:
    with ServeProcess([*KIT, "serve", "in_memory_queue", "--port", "0"], tmp_path, **_SETTINGS) as served:
        pid = served.pid("web server")
        for _ in range(4):
            pid = _kill(served, "web server", pid)
        served.note_family()
        os.kill(pid, signal.SIGKILL)

        assert served.until_exit() == 1
        served.until_all_gone()
    *_, last = served.err
    assert re.fullmatch(r"kit: The web server was ended by SIGKILL, the fifth end within a minute.\n", last)
