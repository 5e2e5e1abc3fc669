"""However `kit serve` ends, nothing that it started outlives it."""

import signal

from tests.cli.serve_process import ServeProcess
from tests.support.waiting import eventually


def test_when_kit_serve_itself_is_killed_none_of_its_processes_goes_on(served_celery: list[ServeProcess]) -> None:
    with served_celery.pop() as served:
        task_id = served.submit("compare the vendors")
        eventually(lambda: served.status(task_id), lambda status: status == "running")
        served.note_family()
        assert len(served.family) >= 5, "the reaper, the Redis server, the worker, its own child, and the web server"

        served.signal(signal.SIGKILL)

        assert served.until_exit() == -signal.SIGKILL
        served.until_all_gone()
