"""What a delivery does to others, and to the clock."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

from tests.checkpoints.engine.actors.app import App
from tests.checkpoints.engine.diagnosis.failures import Wrong
from tests.checkpoints.engine.http.http_client import NoAnswer, send_request
from tests.checkpoints.engine.http.scripted_server import Request
from tests.checkpoints.engine.webhooks.receiver import Delivery


@contextmanager
def held_up_by(app: App, first: Delivery) -> Iterator[None]:
    """Whatever goes wrong with a task in this block is the doing of a delivery that began before."""
    try:
        yield
    except Wrong as wrong:
        if wrong.code == "CRASHED":
            raise
        path = f"/agent/status/{first.task.task_id}"
        try:
            send_request(app.url, "GET", path, within=app.time_limit)
        except NoAnswer as error:
            raise Wrong("DELIVERY_BLOCKS", f"GET {path} → {error}") from None
        raise Wrong("DELIVERY_HOLDS_UP", wrong.seen) from None


def next_second(request: Request) -> None:
    """Wait until the clock shows another second than the timestamp: then a new one is another one."""
    timestamp = request.headers.get("webhook-timestamp", "")
    if timestamp.isascii() and timestamp.isdecimal():
        while 0 <= int(timestamp) - int(time.time()) < 2:
            time.sleep(0.005)


def must_have_own_ids(first: Request, second: Request, other: Request) -> None:
    """See that two attempts of one delivery have the same id, and that the callback for another task has another."""
    ids = [request.headers.get("webhook-id") for request in (first, second, other)]
    if ids[0] != ids[1]:
        raise Wrong("WEBHOOK_ID_WRONG", "the second attempt has another webhook-id than the first")
    if ids[0] == ids[2]:
        raise Wrong(
            "WEBHOOK_ID_WRONG",
            "the callback for another task has the same webhook-id",
            likely="one id stands for all: it is written into the code, or made when the app is loaded.",
            next_step="make the id of the task's own, `msg_` and the task_id.",
        )
