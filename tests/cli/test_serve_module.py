"""`python -m patterns.NAME` is `kit serve NAME`."""

import signal
import sys
from pathlib import Path

from tests.cli.command import run
from tests.cli.serve_process import ServeProcess
from tests.support.serving import ENDLESS_AGENT
from tests.support.waiting import eventually


def test_a_module_serves_its_pattern_and_one_ctrl_c_stops_all_of_it_while_a_task_runs(tmp_path: Path) -> None:
    argv = [sys.executable, "-m", "patterns.in_memory_queue", "--port", "0"]
    with ServeProcess(argv, tmp_path, **ENDLESS_AGENT, KIT_GRACE_SECONDS="0.5") as served:
        task_id = served.submit("compare the vendors")
        eventually(lambda: served.status(task_id), lambda status: status == "running")

        served.signal(signal.SIGINT)

        assert served.until_exit() == 0
        served.until_all_gone()
    assert "(in_memory_queue)" in "".join(served.out)
    assert "Stopped." in "".join(served.out)
    assert served.err == []


def test_the_module_that_needs_a_broker_takes_the_options_of_kit_serve_before_there_is_one(tmp_path: Path) -> None:
    outcome = run([sys.executable, "-m", "patterns.celery_queue", "--port", "65536"], tmp_path)

    assert outcome.code == 2
    assert "65536" in outcome.line


def test_what_uvicorn_reads_from_the_environment_changes_nothing(tmp_path: Path) -> None:
    argv = [sys.executable, "-m", "patterns.background_tasks", "--port", "0"]
    with ServeProcess(argv, tmp_path, WEB_CONCURRENCY="many") as served:
        served.signal(signal.SIGINT)

        assert served.until_exit() == 0
        served.until_all_gone()
    assert served.err == []
