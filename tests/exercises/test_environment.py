"""The diagnosis of an app that does not start, whether its process or its connections end first."""

from pathlib import Path

import pytest

from tests.checkpoints.engine.actors.environment import CheckEnvironment
from tests.checkpoints.engine.diagnosis.failures import Wrong
from tests.checkpoints.engine.processes.fork_server import ForkServer
from tests.checkpoints.engine.processes.services import Services

#: The connections break long before the process has an exit code, not only a moment before as usual.
SLOW_END = "import os, time\nos.closerange(3, 256)\ntime.sleep(0.2)\nos._exit(3)\n"


def test_an_app_whose_connections_break_before_it_ends_is_reported_as_ended(tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text(SLOW_END)

    with (
        ForkServer() as forks,
        Services() as services,
        CheckEnvironment(tmp_path, None, forks, services) as environment,
        pytest.raises(Wrong) as raised,
    ):
        environment.serve()

    assert raised.value.code == "DOES_NOT_START"
    assert raised.value.seen == "the process exited with code 3 before it responded to any request"
