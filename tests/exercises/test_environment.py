"""What is told of an app that does not start, however its end and its broken connections follow on each other."""

from pathlib import Path

import pytest

from tests.checkpoints.engine.actors.environment import CheckEnvironment
from tests.checkpoints.engine.diagnosis.failures import Wrong
from tests.checkpoints.engine.processes.fork_server import ForkServer
from tests.checkpoints.engine.processes.services import Services

#: The connections break a while before the process has an exit code, as they do, for a moment, at every end.
SLOW_END = "import os, time\nos.closerange(3, 256)\ntime.sleep(0.2)\nos._exit(3)\n"


def test_an_app_whose_connections_break_before_it_has_ended_is_told_as_ended(tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text(SLOW_END)

    with (
        ForkServer() as forks,
        Services() as services,
        CheckEnvironment(tmp_path, None, forks, services) as environment,
        pytest.raises(Wrong) as told,
    ):
        environment.serve()

    assert told.value.code == "DOES_NOT_START"
    assert told.value.seen == "the process ended with exit code 3, before it had answered any request"
