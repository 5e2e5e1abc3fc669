"""However `kit serve` ends, nothing that it started outlives it."""

import signal
from pathlib import Path

from tests.kit.command import KIT
from tests.kit.serve_process import ServeProcess
from tests.serving import ENDLESS_AGENT
from tests.waiting import eventually


def test_when_kit_serve_itself_is_killed_nothing_of_it_goes_on(tmp_path: Path) -> None:
    argv = [*KIT, "serve", "celery_queue", "--port", "0"]
    with ServeProcess(argv, tmp_path, **ENDLESS_AGENT, KIT_GRACE_SECONDS="0.5") as served:
        task_id = served.submit("compare the vendors")
        eventually(lambda: served.status(task_id), lambda status: status == "running")
        assert len(served.family) >= 4, "the Redis server, the worker, its own child, and the web server"

        served.signal(signal.SIGKILL)

        assert served.until_exit() == -signal.SIGKILL
        served.until_all_gone()
