"""Callbacks: signed by the service, and verified by the receiver."""

import queue
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from patterns.cli.copying.service.tests.serving import PATIENCE_SECONDS, eventually, serving
from patterns.contract import Callback
from patterns.contract.settings import new_webhook_secret
from patterns.receiver import Receiver, Refused

Delivered = tuple[dict[str, str], bytes]


def test_a_callback_brings_the_outcome_and_verifies(tmp_path: Path) -> None:
    secret = new_webhook_secret()
    quick = {"KIT_AGENT_STEPS": "2", "KIT_AGENT_STEP_SECONDS": "0.05", "KIT_WEBHOOK_SECRET": secret}
    with receiving() as (url, deliveries), serving(tmp_path, **quick) as service:
        task_id = service.accepted("compare the vendors", callback_url=url)
        headers, body = deliveries.get(timeout=PATIENCE_SECONDS)
        task = eventually(lambda: service.task(task_id), lambda task: task["delivery"]["state"] == "delivered")

    callback = Receiver(secret).accept(headers, body)
    assert isinstance(callback, Callback)
    assert (callback.task_id, callback.status, callback.result) == (task_id, "completed", task["result"])
    with pytest.raises(Refused):
        Receiver(new_webhook_secret()).accept(headers, body)
    with pytest.raises(Refused):
        Receiver(secret).accept(headers, body + b" ")


@contextmanager
def receiving() -> Iterator[tuple[str, "queue.Queue[Delivered]"]]:
    """Yields a URL on loopback, and a queue of the requests that are POSTed there."""
    deliveries: queue.Queue[Delivered] = queue.Queue()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            deliveries.put((dict(self.headers.items()), self.rfile.read(int(self.headers["content-length"]))))
            self.send_response(204)
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 the name in the base class
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/hooks/agent", deliveries
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
