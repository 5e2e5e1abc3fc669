"""`python -m patterns.NAME` is `kit serve NAME`."""

import signal
import sys
from pathlib import Path

import pytest

from patterns import PATTERNS
from tests.kit.command import KIT
from tests.kit.serve_process import ServeProcess
from tests.serving import QUICK_AGENT
from tests.waiting import eventually


def _both_ways(name: str, folder: Path) -> list[ServeProcess]:
    ways = ([*KIT, "serve", name], [sys.executable, "-m", f"patterns.{name}"])
    served = []
    for number, argv in enumerate(ways):
        own = folder / str(number)
        own.mkdir()
        served.append(ServeProcess([*argv, "--port", "0"], own, KIT_GRACE_SECONDS="0.5", **QUICK_AGENT))
    return served


def test_a_module_serves_its_pattern_and_stops_as_kit_serve_does(tmp_path: Path) -> None:
    by_kit, by_module = _both_ways("in_memory_queue", tmp_path)
    with by_kit, by_module:
        for served in (by_kit, by_module):
            task_id = served.submit("compare the vendors")
            eventually(lambda: served.status(task_id), lambda status: status == "completed")  # noqa: B023 called at once
            served.signal(signal.SIGINT)

        for served in (by_kit, by_module):
            assert served.until_exit() == 0
            served.until_all_gone()
    assert [len(by_kit.out), len(by_kit.err)] == [len(by_module.out), len(by_module.err)]


@pytest.mark.parametrize("name", PATTERNS)
def test_every_pattern_can_be_run_as_a_module(tmp_path: Path, name: str) -> None:
    import subprocess

    from tests.kit.command import environment

    done = subprocess.run(
        [sys.executable, "-m", f"patterns.{name}", "--help"],
        cwd=tmp_path,
        env=environment({}),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert done.returncode == 0, done.stderr
    assert "--port" in done.stdout
    assert "KIT_AGENT" in done.stdout
