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
    """What was asked, and when (`time.monotonic()`)."""

    method: str
    path: str
    headers: Mapping[str, str]  # names in lower case
    body: bytes
    at: float = field(default_factory=time.monotonic)
    #: Set when the answer is on its way.
    answered: threading.Event = field(default_factory=threading.Event, compare=False, repr=False)

    @property
    def json(self) -> Any:
        """The body; None when it is no JSON."""
        try:
            return json.loads(self.body)
        except ValueError:
            return None


@dataclass(frozen=True)
class Reply:
    """What to answer. A status of 0 cuts the connection without a word."""

    status: int = 200
    body: object = None
    headers: Mapping[str, str] = field(default_factory=dict)
    #: The answer comes a byte at a time, so many seconds apart, for as long as somebody reads it.
    drips: float = 0


class _Handler(BaseHTTPRequestHandler):
    """Keeps each request, and answers it as the script says."""

    protocol_version = "HTTP/1.1"
    # Head and body are sent apart: else the body would wait for 40 ms until the head is acknowledged.
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
        """Until the other side hangs up: then writing raises, which ends the request."""
        self.wfile.write(f"HTTP/1.1 {reply.status} Slowly\r\nserver: ".encode())
        while True:
            self.wfile.write(b".")
            time.sleep(reply.drips)

    do_POST = do_PUT = do_PATCH = do_GET  # noqa: N815 the names in the base class

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 the base class's name
        pass


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False  # an answer that is held back must not hold up the end
    allow_reuse_address = True

    def __init__(self, port: int, script: Callable[[Request], Reply], keep: Callable[[Request], None]) -> None:
        self.script, self.keep = script, keep
        super().__init__(("127.0.0.1", port), _Handler)

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that hangs up is part of many stories."""


class ScriptedServer:
    """Answers each request with what `script` says, and keeps them all. The script runs in a thread per request:
    it may wait on an event to hold an answer back."""

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
        """Whether at least `number` matching requests have come, waiting for them if need be."""
        with self._changed:
            return self._changed.wait_for(lambda: len(self.matching(matching)) >= number, within)

    def matching(self, matching: Callable[[Request], bool]) -> list[Request]:
        """The requests so far that match, oldest first."""
        return [request for request in list(self.requests) if matching(request)]
