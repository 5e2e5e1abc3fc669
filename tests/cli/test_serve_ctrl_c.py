"""Ctrl-C in the terminal of `kit serve`: it waits for the running tasks, and prints only its own lines."""

from pathlib import Path

import pytest

from patterns import PATTERNS
from tests.cli.command import KIT
from tests.cli.terminal import TerminalServe
from tests.support.waiting import PATIENCE_SECONDS, eventually

IN_PROCESS = [name for name, pattern in PATTERNS.items() if not pattern.processes]
#: Much longer than a test waits for anything: what ends in time has not waited for it.
LONG = f"{20 * PATIENCE_SECONDS:g}"
STOPPING = f"Stopping: waiting up to {LONG} s for running tasks. Press Ctrl-C again to stop now."


@pytest.fixture
def settings(redis_url: str, tmp_path: Path) -> dict[str, str]:
    """An agent that works until a file is there, and records that are still there after a stop."""
    return {
        "KIT_AGENT": "tests.support.agents:by_prompt",
        "PYTHONPATH": str(Path(__file__).parents[2]),
        "KIT_GRACE_SECONDS": LONG,
        "KIT_POLL_INTERVAL_SECONDS": "0",
        "KIT_KEY_PREFIX": f"{tmp_path.name}:",
        "REDIS_URL": redis_url,
    }


def served(folder: Path, settings: dict[str, str], name: str = "celery_queue", *options: str) -> TerminalServe:
    """`kit serve` in a terminal."""
    folder.mkdir()
    port = [] if "worker" in options else ["--port", "0"]
    return TerminalServe([*KIT, "serve", name, *port, *options], folder, **settings)


def running_task(served: TerminalServe, file: Path) -> str:
    """A task that runs until this file exists."""
    task_id = served.submit(f"waits_for:{file}")
    eventually(lambda: served.status(task_id), lambda status: status == "running")
    return task_id


def test_without_a_task_ctrl_c_stops_everything_and_shows_one_line(tmp_path: Path, settings: dict[str, str]) -> None:
    del settings["REDIS_URL"]  # with a private one, which is stopped too
    with served(tmp_path / "kit", settings) as kit:
        kit.ctrl_c()

        assert kit.until_exit() == 0
        assert kit.last_lines() == ["Stopped."]
        kit.until_all_gone()


def test_ctrl_c_waits_for_the_running_tasks_and_no_longer(tmp_path: Path, settings: dict[str, str]) -> None:
    with served(tmp_path / "first", settings) as kit:
        ends = tmp_path / "ends"
        first, second = running_task(kit, ends), running_task(kit, tmp_path / "second")
        kit.ctrl_c()
        kit.until_shown("Stopping")

        ends.touch()
        (tmp_path / "second").touch()

        assert kit.until_exit() == 0
        assert kit.last_lines() == [STOPPING, "Stopped."]
        kit.until_all_gone()

    with served(tmp_path / "later", settings) as kit:
        assert [kit.status(task_id) for task_id in (first, second)] == ["completed", "completed"]
        kit.ctrl_c()
        assert kit.until_exit() == 0


def test_a_second_ctrl_c_stops_immediately_and_the_next_worker_does_the_task(
    tmp_path: Path, settings: dict[str, str]
) -> None:
    with served(tmp_path / "first", settings) as kit:
        task_id = running_task(kit, tmp_path / "ends")
        kit.ctrl_c()
        kit.until_shown("Stopping")

        kit.ctrl_c()

        assert kit.until_exit() == 0
        assert kit.last_lines() == [STOPPING, "Stopped."]
        kit.until_all_gone()

    (tmp_path / "ends").touch()
    with served(tmp_path / "next", settings) as kit:
        eventually(lambda: kit.status(task_id), lambda status: status == "completed")
        kit.ctrl_c()
        assert kit.until_exit() == 0


@pytest.mark.thorough
def test_a_worker_returns_tasks_that_outlast_the_grace_period(tmp_path: Path, settings: dict[str, str]) -> None:
    settings["KIT_GRACE_SECONDS"] = "0.5"
    with served(tmp_path / "web", settings, "celery_queue", "--role", "web") as web:
        with served(tmp_path / "first", settings, "celery_queue", "--role", "worker") as worker:
            task_id = running_task(web, tmp_path / "ends")
            worker.ctrl_c()
            assert worker.until_exit() == 0
            assert worker.last_lines() == [STOPPING.replace(LONG, "0.5"), "Stopped."]
            worker.until_all_gone()
        assert web.status(task_id) == "running"

        with served(tmp_path / "next", settings, "celery_queue", "--role", "worker") as worker:
            (tmp_path / "ends").touch()
            eventually(lambda: web.status(task_id), lambda status: status == "completed")
            worker.ctrl_c()
            assert worker.until_exit() == 0

        web.ctrl_c()
        assert web.until_exit() == 0
        assert web.last_lines() == ["Stopped."]
        web.until_all_gone()


@pytest.mark.parametrize("name", [name for name in IN_PROCESS if not PATTERNS[name].requires_callback])
def test_a_web_process_that_does_the_work_ends_with_it(name: str, tmp_path: Path, settings: dict[str, str]) -> None:
    with served(tmp_path / "kit", settings, name) as kit:
        running_task(kit, tmp_path / "ends")
        kit.ctrl_c()
        kit.until_shown("Stopping")

        (tmp_path / "ends").touch()

        assert kit.until_exit() == 0
        assert kit.last_lines() == [STOPPING, "Stopped."]
        kit.until_all_gone()


@pytest.mark.parametrize("name", ["background_tasks", "in_memory_queue"])
def test_a_second_ctrl_c_stops_a_web_process_immediately(name: str, tmp_path: Path, settings: dict[str, str]) -> None:
    with served(tmp_path / "kit", settings, name) as kit:
        running_task(kit, tmp_path / "never")
        kit.ctrl_c()
        kit.until_shown("Stopping")

        kit.ctrl_c()

        assert kit.until_exit() == 0
        assert kit.last_lines() == [STOPPING, "Stopped."]
        kit.until_all_gone()


@pytest.mark.parametrize("name", ["celery_queue", "in_memory_queue"])
def test_ctrl_c_during_the_start_leaves_nothing_behind(name: str, tmp_path: Path, settings: dict[str, str]) -> None:
    del settings["REDIS_URL"]
    loading = "import pathlib, time\npathlib.Path(__file__).with_name('loading').touch()\ntime.sleep(600)\n"
    (tmp_path / "slow.py").write_text(loading)
    kit = served(tmp_path / "kit", {**settings, "KIT_AGENT": "slow:agent", "PYTHONPATH": f"{tmp_path}"}, name)
    eventually((tmp_path / "loading").exists, bool)

    kit.ctrl_c()

    assert kit.until_exit() == 130
    assert "".join(kit.out).replace("^C", "").split() == ["Stopped."]
    kit.until_all_gone()
    assert kit.end() == []


@pytest.mark.thorough
def test_a_closed_terminal_stops_everything(tmp_path: Path, settings: dict[str, str]) -> None:
    del settings["REDIS_URL"]
    with served(tmp_path / "kit", settings) as kit:
        running_task(kit, tmp_path / "ends")
        kit.close_terminal()
        (tmp_path / "ends").touch()

        assert kit.until_exit() == 0
        kit.until_all_gone()
