"""A scripted HTTP server: the other side of a learner's client, or the receiver of a learner's callbacks."""

import json
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self


@dataclass(frozen=True)
class Request:
    """A request, and when it arrived (`time.monotonic()`)."""

    method: str
    path: str
    headers: Mapping[str, str]  # names in lower case
    body: bytes
    at: float = field(default_factory=time.monotonic)
    #: Set when the response has been sent.
    answered: threading.Event = field(default_factory=threading.Event, compare=False, repr=False)

    @property
    def json(self) -> Any:
        """The parsed body; None if it is not JSON."""
        try:
            return json.loads(self.body)
        except ValueError:
            return None


@dataclass(frozen=True)
class Reply:
    """The response to send. A status of 0 closes the connection without a response."""

    status: int = 200
    body: object = None
    headers: Mapping[str, str] = field(default_factory=dict)
    #: Send the response one byte at a time, this many seconds apart, for as long as the client reads it.
    drips: float = 0


class _Handler(BaseHTTPRequestHandler):
    """Stores each request, and responds according to the script."""

    protocol_version = "HTTP/1.1"
    # Headers and body are sent separately: with Nagle's algorithm the body would wait 40 ms for an acknowledgement.
    disable_nagle_algorithm = True
    server: "_Server"

    def do_GET(self) -> None:
        length = int(self.headers.get("content-length") or 0)
        names = {name.lower(): value for name, value in self.headers.items()}
        request = Request(self.command, self.path, names, self.rfile.read(length))
        self.server.keep(request)
        reply = self.server.script(request)
        if reply.status == 0:
            self.close_connection = True
            return
        if reply.drips:
            self._drip(reply)
        body = b"" if reply.body is None else json.dumps(reply.body).encode()
        self.send_response(reply.status)
        for name, value in {"content-type": "application/json", **reply.headers}.items():
            self.send_header(name, value)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
        request.answered.set()

    def _drip(self, reply: Reply) -> None:
        """Write until the client disconnects: then writing raises, which ends the request."""
        self.wfile.write(f"HTTP/1.1 {reply.status} Slowly\r\nserver: ".encode())
        while True:
            self.wfile.write(b".")
            time.sleep(reply.drips)

    do_POST = do_PUT = do_PATCH = do_GET  # noqa: N815 the names from the base class

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 the name in the base class
        pass


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False  # a held response must not delay closing
    allow_reuse_address = True

    def __init__(self, port: int, script: Callable[[Request], Reply], keep: Callable[[Request], None]) -> None:
        self.script, self.keep = script, keep
        super().__init__(("127.0.0.1", port), _Handler)

    def handle_error(self, request: object, client_address: object) -> None:
        """Ignore errors: many checks involve a client that disconnects."""


class ScriptedServer:
    """Responds to each request with what `script` returns, and stores all requests. The script runs in a thread per
    request: it may wait for an event to hold a response."""

    def __init__(self, script: Callable[[Request], Reply], port: int = 0) -> None:
        self.requests: list[Request] = []
        self._changed = threading.Condition()
        self._server = _Server(port, script, self._keep)
        self.port = self._server.server_port
        self.url = f"http://127.0.0.1:{self.port}"
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()

    def _keep(self, request: Request) -> None:
        with self._changed:
            self.requests.append(request)
            self._changed.notify_all()

    def wait_for(self, number: int, within: float, matching: Callable[[Request], bool] = lambda _: True) -> bool:
        """Wait for at least `number` matching requests; whether they have arrived in time."""
        with self._changed:
            return self._changed.wait_for(lambda: len(self.matching(matching)) >= number, within)

    def matching(self, matching: Callable[[Request], bool]) -> list[Request]:
        """The requests so far that match, oldest first."""
        return [request for request in list(self.requests) if matching(request)]
