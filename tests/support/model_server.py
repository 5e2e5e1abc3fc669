"""An HTTP server in place of a model: it responds at once or never, and records when a connection is closed."""

import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from tests.support.waiting import PATIENCE_SECONDS, eventually


class Calls:
    """The calls to a model that never responds, by the name in their path."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.count: Counter[str] = Counter()
        self.closed_at: dict[str, float] = {}
        self._open: dict[str, threading.Event] = {}
        self._lock = threading.Lock()

    def until_open(self, name: str) -> None:
        """Return once the call has arrived."""
        assert self.opened(name).wait(PATIENCE_SECONDS), f"the model was not called for {name}"

    def until_closed(self, name: str) -> float:
        """When the client closed the connection of the call, on the clock of `time.monotonic()`."""
        return eventually(lambda: self.closed_at.get(name, 0.0), bool)

    def opened(self, name: str) -> threading.Event:
        """Set when the call has arrived."""
        with self._lock:
            return self._open.setdefault(name, threading.Event())


@contextmanager
def model_server() -> Iterator[Calls]:
    """Serve during the block: `/answer` gets a response at once, `/hang/NAME` only its headers."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            _, kind, *rest = self.path.split("/")
            if kind == "hang":
                self._hang(rest[0])
                return
            body = b"an answer"
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def _hang(self, name: str) -> None:
            self.close_connection = True
            self.send_response(200)
            self.send_header("Content-Length", "1")
            self.end_headers()
            calls.count[name] += 1
            calls.opened(name).set()
            with suppress(OSError):  # the connection may be reset
                self.connection.recv(1)  # a client sends nothing more: this returns when it closes the connection
            calls.closed_at[name] = time.monotonic()

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 the name in the base class
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    calls = Calls(f"http://127.0.0.1:{server.server_port}")
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.2}, daemon=True).start()
    try:
        yield calls
    finally:
        server.shutdown()
        server.server_close()
