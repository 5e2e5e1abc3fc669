"""How long a web process waits for a client, how much it reads before it knows what is wanted, and for how many.

uvicorn closes a connection that is idle after an answer. It would wait for ever for a request whose end does not
come (slowloris), for a body that stops half-way, and for a client that does not take its answer; it reads headers of
any length, and any number of requests before the first has its answer; and it accepts connections until the file
handles are gone. Here each of these has a limit, and an answer where one can be given.

A reverse proxy in front should limit what comes from one address. Here all clients are the same.
"""

import asyncio
import resource
from dataclasses import dataclass
from typing import Any

import uvicorn
from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from patterns.contract import Problem
from patterns.contract.settings import Settings

#: The request line and the headers of one request together.
MOST_HEADER_BYTES = 32_768
#: A client that takes its answer takes at least this much of it within the time that it has.
_TAKES_AT_LEAST = 16_384
#: File handles that no client gets: for Redis, for callbacks, for files.
_KEPT_BACK = 256
#: How many connections over the limit may be open for as long as it takes to say so. More are closed unanswered.
_TOLD_AT_ONCE = 64
_HANDLES_WANTED = 65_536
#: Requests that may wait on one connection for the answers to those before them (RFC 9112, 9.3.2).
MOST_IN_A_ROW = 100

_BAD = (400, "Not HTTP", "The server could not read this as an HTTP/1.1 request.")
_OTHER = (400, "No other protocol", "Only HTTP/1.1 is spoken here. Send the request again, without `Upgrade`.")
_LATE = (408, "Request Timeout", "The request did not arrive in time (KIT_CLIENT_SECONDS). Send it again, faster.")
_LONG = (431, "Request Header Fields Too Large", f"The headers are over {MOST_HEADER_BYTES} bytes. Send fewer.")
_MANY = (503, "Too many connections", "This server has as many clients as it takes. Try again later.")


@dataclass(frozen=True)
class Limits:
    """What one web process grants its clients."""

    connections: int
    client_seconds: float

    @classmethod
    def of(cls, settings: Settings) -> "Limits":
        """The settings, as far as this process may open that many file handles. It takes what it may have."""
        room = handles_allowed() - _KEPT_BACK - _TOLD_AT_ONCE
        return cls(max(1, min(settings.max_connections, room)), settings.client_seconds)


def handles_allowed() -> int:
    """How many file handles this process may have open, after it has asked for as many as it is allowed."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _HANDLES_WANTED if hard == resource.RLIM_INFINITY else min(hard, _HANDLES_WANTED)
    if soft == resource.RLIM_INFINITY or soft >= wanted:
        return _HANDLES_WANTED if soft == resource.RLIM_INFINITY else soft
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    except (OSError, ValueError):  # macOS has a lower limit of its own
        return soft
    return wanted


class TooManyInARow(Exception):
    """So many requests wait for their turn that no more are read. The connection is closed after their answers."""


class GuardedProtocol(HttpToolsProtocol):
    """uvicorn's connection, with limits. The server calls `look_after` about once a second."""

    def __init__(
        self, config: uvicorn.Config, *, limits: Limits, answered: set[asyncio.Task[Any]], **more: Any
    ) -> None:
        super().__init__(config, **more)
        self._limits = limits
        self._answered = answered  # of all connections: what still runs after its response, such as background tasks
        self._unexplained = 0  # bytes that came, and were neither a whole head nor part of a body
        self._waiting_since: float | None = None
        self._unsent, self._unsent_since = 0, 0.0

    def connection_made(self, transport: Any) -> None:
        """Close it at once when there are too many even to be told so."""
        super().connection_made(transport)
        if len(self.connections) > self._limits.connections + _TOLD_AT_ONCE:
            self.transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        """What still runs for this client finds nothing to resume: uvloop would raise."""
        self.flow.read_paused = False
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Read on, unless what comes has no end."""
        self._unexplained += len(data)
        super().data_received(data)
        if self._unexplained > MOST_HEADER_BYTES:
            self._refuse(*_LONG)

    def on_headers_complete(self) -> None:
        """Let the app answer, unless it is not to be asked."""
        self._unexplained = 0
        app = self.app
        # The 4 are the colon, the blank and the end of the line.
        if len(self.url) + sum(len(name) + len(value) + 4 for name, value in self.headers) > MOST_HEADER_BYTES:
            self.app = _answering(*_LONG)
        elif self.parser.should_upgrade() and self._announces_a_body():
            self.app = _answering(*_OTHER)  # httptools skips the body of a request that would rather be something else
        elif max(len(self.connections), len(self.tasks) - len(self._answered)) > self._limits.connections:
            self.app = _answering(*_MANY)
        try:
            super().on_headers_complete()
        finally:
            self.app = app

    def on_body(self, body: bytes) -> None:
        """Of a body the app says how long it may be."""
        self._unexplained = 0
        super().on_body(body)

    def on_message_complete(self) -> None:
        """The next wait for the client is a new one."""
        self._unexplained = 0
        self._waiting_since = None
        super().on_message_complete()
        if len(self.pipeline) > MOST_IN_A_ROW:
            raise TooManyInARow

    def on_response_complete(self) -> None:
        """Read no more requests while others wait: uvicorn would, and keep any number of them."""
        super().on_response_complete()
        if task := asyncio.current_task():
            self._answered.add(task)
            task.add_done_callback(self._answered.discard)
        if self.pipeline and not self.transport.is_closing():
            self.flow.pause_reading()

    def resume_writing(self) -> None:
        """The client has taken what it was sent."""
        self._unsent = 0
        super().resume_writing()

    def look_after(self, now: float) -> None:
        """Close the connection when its client has let the server wait for too long."""
        if self._does_not_take(now):
            self.transport.abort()
        elif self._at_work or self.timeout_keep_alive_task is not None or self.transport.is_closing():
            self._waiting_since = None
        elif self._waiting_since is None:
            self._waiting_since = now
        elif now - self._waiting_since > self._limits.client_seconds:
            if self.cycle is None and not self._unexplained:
                self.transport.close()  # it has asked for nothing, so there is nothing to answer
            else:
                self._refuse(*_LATE)

    @property
    def _at_work(self) -> bool:
        """Whether a request has arrived in full, and has no answer yet."""
        return self.cycle is not None and not self.cycle.response_complete and not self.cycle.more_body

    def _does_not_take(self, now: float) -> bool:
        unsent = self.transport.get_write_buffer_size()
        if unsent == 0 or self._unsent == 0 or unsent <= self._unsent - _TAKES_AT_LEAST:
            self._unsent, self._unsent_since = unsent, now
        return now - self._unsent_since > self._limits.client_seconds

    def _announces_a_body(self) -> bool:
        return any(name in {b"content-length", b"transfer-encoding"} and value != b"0" for name, value in self.headers)

    def _unsupported_upgrade_warning(self) -> None:
        """Nothing is missing: a request that would upgrade is answered as any other."""

    def send_400_response(self, msg: str) -> None:
        """As a problem, where uvicorn has plain text."""
        self._refuse(*_BAD)

    def _refuse(self, status: int, title: str, detail: str) -> None:
        """Answer instead of the app, and close. The requests before this one get their answers, and it gets none."""
        if self.transport.is_closing():
            return
        if self._at_work:
            self.cycle.keep_alive = False
            self.flow.pause_reading()
            return
        if self.cycle is not None and not self.cycle.response_complete:
            if self.cycle.response_started or self.pipeline:
                self.transport.abort()
                return
            self.cycle.disconnected = True  # the app's own answer would be a second one
        body = _body(status, title, detail)
        headers = [*self.server_state.default_headers, *_headers(status, body)]
        lines = b"".join(name + b": " + value + b"\r\n" for name, value in headers)
        self.transport.write(STATUS_LINE[status] + lines + b"\r\n" + body)
        self.transport.close()


def _answering(status: int, title: str, detail: str) -> ASGIApp:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        body = _body(status, title, detail)
        headers = _headers(status, body)
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    return app


def _body(status: int, title: str, detail: str) -> bytes:
    return Problem(title=title, status=status, detail=detail).model_dump_json().encode()


def _headers(status: int, body: bytes) -> list[tuple[bytes, bytes]]:
    return [
        (b"content-type", b"application/problem+json"),
        (b"content-length", str(len(body)).encode()),
        (b"connection", b"close"),
        *([(b"retry-after", b"1")] if status == 503 else []),
    ]
