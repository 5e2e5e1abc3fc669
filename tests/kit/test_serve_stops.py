"""However `kit serve` ends, nothing that it started outlives it."""

import signal
from pathlib import Path

from tests.kit.command import KIT
from tests.kit.serve_process import ServeProcess
from tests.serving import ENDLESS_AGENT
from tests.waiting import eventually

_IMPATIENT = {**ENDLESS_AGENT, "KIT_GRACE_SECONDS": "0.5"}


def _served(name: str, folder: Path) -> ServeProcess:
    return ServeProcess([*KIT, "serve", name, "--port", "0"], folder, **_IMPATIENT)


def _busy(served: ServeProcess) -> None:
    """Give it a task that does not end by itself."""
    task_id = served.submit("compare the vendors")
    eventually(lambda: served.status(task_id), lambda status: status == "running")


def test_one_ctrl_c_stops_everything_even_while_a_task_runs(tmp_path: Path) -> None:
    with _served("in_memory_queue", tmp_path) as served:
        _busy(served)

        served.signal(signal.SIGINT)

        assert served.until_exit() == 0
        served.until_all_gone()
    assert "Stopped." in "".join(served.out)
    assert served.err == []


def test_when_kit_serve_itself_is_killed_nothing_of_it_goes_on(tmp_path: Path) -> None:
    with _served("celery_queue", tmp_path) as served:
        _busy(served)
        assert len(served.family) >= 4, "the Redis server, the worker, its own child, and the web server"

        served.signal(signal.SIGKILL)

        assert served.until_exit() == -signal.SIGKILL
        served.until_all_gone()
