"""`python -m patterns.NAME` is `kit serve NAME`."""

import signal
import sys
from pathlib import Path

import pytest

from patterns import PATTERNS
from tests.kit.command import run
from tests.kit.serve_process import ServeProcess
from tests.serving import QUICK_AGENT
from tests.waiting import eventually


def test_a_module_serves_its_pattern_and_stops_as_kit_serve_does(tmp_path: Path) -> None:
    argv = [sys.executable, "-m", "patterns.in_memory_queue", "--port", "0"]
    with ServeProcess(argv, tmp_path, KIT_GRACE_SECONDS="0.5", **QUICK_AGENT) as served:
        task_id = served.submit("compare the vendors")
        eventually(lambda: served.status(task_id), lambda status: status == "completed")

        served.signal(signal.SIGTERM)

        assert served.until_exit() == 0
        served.until_all_gone()
    assert "(in_memory_queue)" in "".join(served.out)
    assert served.err == []


@pytest.mark.parametrize("name", PATTERNS)
def test_every_module_takes_the_options_of_kit_serve(tmp_path: Path, name: str) -> None:
    outcome = run([sys.executable, "-m", f"patterns.{name}", "--port", "65536"], tmp_path)

    assert outcome.code == 1
    assert "65536" in outcome.line
