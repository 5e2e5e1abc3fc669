"""The desk hears of an agent's end a moment later than the status route may tell what came of it."""

import json
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.checkpoints.engine.desk import Desk, Run


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    """A desk that takes calls."""
    with Desk(tmp_path / "desk") as desk:
        yield desk


def calls(desk: Desk) -> tuple[socket.socket, Run]:
    """An agent's connection, and its run."""
    connection = socket.socket(socket.AF_UNIX)
    connection.connect(str(desk.path))
    connection.sendall(json.dumps({"prompt": "a", "pid": 0}).encode() + b"\n")
    run = desk.wait_for("a", 30)
    assert run
    return connection, run


def test_an_agent_whose_end_is_heard_late_does_not_work_on(desk: Desk) -> None:
    connection, run = calls(desk)
    late = threading.Timer(0.2, connection.close)
    late.start()

    assert not run.works_on()
    late.join()


def test_an_agent_that_is_held_works_on(desk: Desk) -> None:
    connection, run = calls(desk)

    assert run.works_on()
    connection.close()


def test_an_agent_that_was_told_to_end_does_not_work_on(desk: Desk) -> None:
    connection, run = calls(desk)
    run.told = "finish"

    assert not run.works_on()
    connection.close()
