"""A task does not depend on the connection it was submitted over, and the connection does not wait for the task."""

import json
from collections.abc import Iterator
from contextlib import closing, contextmanager
from http.client import HTTPConnection
from typing import Any

import httpx

from tests.support.serving import Served
from tests.support.waiting import PATIENCE_SECONDS


@contextmanager
def connected(served: Served) -> Iterator[HTTPConnection]:
    """One connection to a server, closed at the end of the block."""
    url = httpx.URL(served.url)
    with closing(HTTPConnection(url.host, url.port, timeout=PATIENCE_SECONDS)) as connection:
        yield connection


def submit(connection: HTTPConnection, served: Served) -> Any:
    """The accepted task."""
    headers = {"Content-Type": "application/json"}
    connection.request("POST", "/agent/submit", json.dumps(served.body()), headers)
    answer = connection.getresponse()
    assert answer.status == 202
    task = json.load(answer)
    served.submitted.append(task["task_id"])
    return task


def test_a_client_that_leaves_right_after_the_202_has_its_task_done(short: Served) -> None:
    running = [short.accept("hang: so that the next one waits") for _ in range(2)]
    for task_id in running:
        short.until(task_id, "running")

    with connected(short) as connection:
        task = submit(connection, short)

    assert short.outcome(task["task_id"])["status"] == "completed"


def test_the_next_request_of_a_connection_does_not_wait_for_the_task(small: Served) -> None:
    with connected(small) as connection:
        task = submit(connection, small)
        one = connection.sock
        connection.request("GET", f"/agent/status/{task['task_id']}")
        answer = connection.getresponse()

        assert answer.status == 200
        assert json.load(answer)["status"] in {"pending", "running"}
        assert connection.sock is one
