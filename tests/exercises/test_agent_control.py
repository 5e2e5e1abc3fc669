"""The control notices the end of an agent a moment after the status route may show it."""

import json
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.checkpoints.engine.actors.agent_control import AgentControl, Run


@pytest.fixture
def agent_control(tmp_path: Path) -> Iterator[AgentControl]:
    """A control that agents can connect to."""
    with AgentControl(tmp_path / "agent") as agent_control:
        yield agent_control


def calls(agent_control: AgentControl) -> tuple[socket.socket, Run]:
    """An agent's connection, and its run."""
    connection = socket.socket(socket.AF_UNIX)
    connection.connect(str(agent_control.path))
    connection.sendall(json.dumps({"prompt": "a", "pid": 0}).encode() + b"\n")
    run = agent_control.wait_for("a", 30)
    assert run
    return connection, run


def test_an_agent_whose_end_is_noticed_late_is_not_running(agent_control: AgentControl) -> None:
    connection, run = calls(agent_control)
    late = threading.Timer(0.2, connection.close)
    late.start()

    assert not run.works_on()
    late.join()


def test_an_agent_that_is_held_is_running(agent_control: AgentControl) -> None:
    connection, run = calls(agent_control)

    assert run.works_on()
    connection.close()


def test_an_agent_that_was_asked_to_end_is_not_running(agent_control: AgentControl) -> None:
    connection, run = calls(agent_control)
    run.ending = "finish"

    assert not run.works_on()
    connection.close()
