"""A receiver on loopback that accepts every callback, and keeps it."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class Callbacks:
    """What was POSTed here so far."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.taken: list[dict[str, Any]] = []

    def about(self, task_id: str) -> list[dict[str, Any]]:
        """The callbacks of one task."""
        return [callback for callback in list(self.taken) if callback["task_id"] == task_id]


@contextmanager
def receiving() -> Iterator[Callbacks]:
    """Accept callbacks for as long as the block lasts."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            callbacks.taken.append(json.loads(self.rfile.read(int(self.headers["content-length"]))))
            self.send_response(204)
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 the name in the base class
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    callbacks = Callbacks(f"http://127.0.0.1:{server.server_port}/hooks/agent")
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield callbacks
    finally:
        server.shutdown()
        server.server_close()
