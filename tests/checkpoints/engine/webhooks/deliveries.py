"""How a delivery affects other tasks, and the ids and timestamps of its attempts."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

from tests.checkpoints.engine.actors.app import App
from tests.checkpoints.engine.diagnosis.failures import Wrong
from tests.checkpoints.engine.http.http_client import NoResponse, send_request
from tests.checkpoints.engine.http.scripted_server import Request
from tests.checkpoints.engine.webhooks.receiver import Delivery


@contextmanager
def held_up_by(app: App, first: Delivery) -> Iterator[None]:
    """Attribute every failure in this block to a delivery that started before it."""
    try:
        yield
    except Wrong as wrong:
        if wrong.code == "CRASHED":
            raise
        path = f"/agent/status/{first.task.task_id}"
        try:
            send_request(app.url, "GET", path, within=app.time_limit)
        except NoResponse as error:
            raise Wrong("DELIVERY_BLOCKS", f"GET {path} → {error}") from None
        raise Wrong("DELIVERY_HOLDS_UP", wrong.seen) from None


def next_second(request: Request) -> None:
    """Wait until the second of the timestamp is over: then a new timestamp differs."""
    timestamp = request.headers.get("webhook-timestamp", "")
    if timestamp.isascii() and timestamp.isdecimal():
        while 0 <= int(timestamp) - int(time.time()) < 2:
            time.sleep(0.005)


def must_have_own_ids(first: Request, second: Request, other: Request) -> None:
    """Check that two attempts of a delivery have the same id, and the callback for another task a different id."""
    ids = [request.headers.get("webhook-id") for request in (first, second, other)]
    if ids[0] != ids[1]:
        raise Wrong("WEBHOOK_ID_WRONG", "the second attempt has a different webhook-id from the first")
    if ids[0] == ids[2]:
        raise Wrong(
            "WEBHOOK_ID_WRONG",
            "the callback for another task has the same webhook-id",
            likely="all callbacks share one id: it is hard-coded, or created when the app starts.",
            next_step="derive the id from the task: `msg_` and the task_id.",
        )
