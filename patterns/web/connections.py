"""Limits on what clients may do: how long they may take, how many bytes of headers, how many connections.

uvicorn closes connections that are idle between requests. But it waits forever for the rest of a request (slowloris) or
for a client that does not read its response; it reads headers of any length, and any number of pipelined requests; and
it accepts connections until no file descriptor is left. Here each of these has a limit and, where possible, an error
response.

These limits do not distinguish between clients. To limit one address, put a reverse proxy in front.
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

#: For the request line and the headers of one request together.
MAX_HEADER_BYTES = 32_768
#: A client must read at least this much of a response within `KIT_CLIENT_SECONDS`.
_MIN_READ_BYTES = 16_384
#: File descriptors that are kept free for Redis, for callbacks and for files.
_RESERVED_FILES = 256
#: How many connections over the limit may be open at once to receive a 503. More are closed without a response.
_MAX_REJECTED = 64
_MAX_OPEN_FILES = 65_536
#: Pipelined requests that may wait on one connection for the responses to earlier ones (RFC 9112, 9.3.2).
MAX_PIPELINED = 100

_NOT_HTTP = (400, "Not HTTP", "The server could not read this as an HTTP/1.1 request.")
_UPGRADE = (400, "Upgrade not supported", "This server supports HTTP/1.1 only. Retry without the Upgrade header.")
_TOO_LATE = (408, "Request Timeout", "The request did not arrive in time (KIT_CLIENT_SECONDS). Send it again, faster.")
_TOO_LONG = (431, "Request Header Fields Too Large", f"The headers are over {MAX_HEADER_BYTES} bytes. Send fewer.")
_TOO_MANY = (503, "Too many connections", "This server has reached its connection limit. Try again later.")


@dataclass(frozen=True)
class Limits:
    """The limits of one web process. Times are in seconds."""

    connections: int
    client_seconds: float

    @classmethod
    def of(cls, settings: Settings) -> "Limits":
        """The limits in the settings, or lower ones if this process may not open that many files."""
        available = raise_open_file_limit() - _RESERVED_FILES - _MAX_REJECTED
        return cls(max(1, min(settings.max_connections, available)), settings.client_seconds)


def raise_open_file_limit() -> int:
    """Raise this process's limit on open files as far as allowed, and return it."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    target = _MAX_OPEN_FILES if hard == resource.RLIM_INFINITY else min(hard, _MAX_OPEN_FILES)
    if soft == resource.RLIM_INFINITY or soft >= target:
        return _MAX_OPEN_FILES if soft == resource.RLIM_INFINITY else soft
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (target, hard))
    except (OSError, ValueError):  # macOS has an additional, lower limit
        return soft
    return target


class PipelineTooLong(Exception):
    """Too many pipelined requests are waiting. The connection is closed after the responses to them."""


class GuardedProtocol(HttpToolsProtocol):
    """uvicorn's connection, with limits. The server calls `check_timeouts` about once a second."""

    def __init__(
        self, config: uvicorn.Config, *, limits: Limits, responded: set[asyncio.Task[Any]], **kwargs: Any
    ) -> None:
        super().__init__(config, **kwargs)
        self._limits = limits
        self._responded = responded  # of all connections: tasks that go on after the response, as background tasks do
        self._header_bytes = 0  # received, and not yet part of complete headers or of a body
        self._waiting_since: float | None = None
        self._unsent, self._unsent_since = 0, 0.0

    def connection_made(self, transport: Any) -> None:
        """Close the connection at once if there are too many even for a 503."""
        super().connection_made(transport)
        if len(self.connections) > self._limits.connections + _MAX_REJECTED:
            self.transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        """Do not let uvicorn resume reading later: uvloop would raise on a closed connection."""
        self.flow.read_paused = False
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Count the bytes of headers that are not complete yet, and limit them."""
        self._header_bytes += len(data)
        super().data_received(data)
        if self._header_bytes > MAX_HEADER_BYTES:
            self._reject(*_TOO_LONG)

    def on_headers_complete(self) -> None:
        """Pass the request to the app, or to an app that rejects it."""
        self._header_bytes = 0
        app = self.app
        # 4 bytes for the colon, the space and the line break.
        if len(self.url) + sum(len(name) + len(value) + 4 for name, value in self.headers) > MAX_HEADER_BYTES:
            self.app = _problem_app(*_TOO_LONG)
        elif self.parser.should_upgrade() and self._has_body():
            self.app = _problem_app(*_UPGRADE)  # httptools would skip the body
        elif max(len(self.connections), len(self.tasks) - len(self._responded)) > self._limits.connections:
            self.app = _problem_app(*_TOO_MANY)
        try:
            super().on_headers_complete()
        finally:
            self.app = app

    def on_body(self, body: bytes) -> None:
        """The length of a body is limited by the app: see `body_limit`."""
        self._header_bytes = 0
        super().on_body(body)

    def on_message_complete(self) -> None:
        """The request is complete, so the client's time starts again with the next one."""
        self._header_bytes = 0
        self._waiting_since = None
        super().on_message_complete()
        if len(self.pipeline) > MAX_PIPELINED:
            raise PipelineTooLong

    def on_response_complete(self) -> None:
        """Stop reading while pipelined requests wait: uvicorn would read and keep any number of them."""
        super().on_response_complete()
        if task := asyncio.current_task():
            self._responded.add(task)
            task.add_done_callback(self._responded.discard)
        if self.pipeline and not self.transport.is_closing():
            self.flow.pause_reading()

    def resume_writing(self) -> None:
        """The client has read what was sent."""
        self._unsent = 0
        super().resume_writing()

    def check_timeouts(self, now: float) -> None:
        """Close the connection if the server has waited too long for its client. `now` is the event loop's time."""
        if self._reads_too_slowly(now):
            self.transport.abort()
        elif self._is_working or self.timeout_keep_alive_task is not None or self.transport.is_closing():
            self._waiting_since = None
        elif self._waiting_since is None:
            self._waiting_since = now
        elif now - self._waiting_since > self._limits.client_seconds:
            if self.cycle is None and not self._header_bytes:
                self.transport.close()  # no request has started, so there is nothing to respond to
            else:
                self._reject(*_TOO_LATE)

    @property
    def _is_working(self) -> bool:
        """Whether a request has arrived in full and its response is not complete."""
        return self.cycle is not None and not self.cycle.response_complete and not self.cycle.more_body

    def _reads_too_slowly(self, now: float) -> bool:
        unsent = self.transport.get_write_buffer_size()
        if unsent == 0 or self._unsent == 0 or unsent <= self._unsent - _MIN_READ_BYTES:
            self._unsent, self._unsent_since = unsent, now
        return now - self._unsent_since > self._limits.client_seconds

    def _has_body(self) -> bool:
        return any(name in {b"content-length", b"transfer-encoding"} and value != b"0" for name, value in self.headers)

    def _unsupported_upgrade_warning(self) -> None:
        """Log nothing: a request to upgrade is handled like any other."""

    def send_400_response(self, msg: str) -> None:
        """Send a problem; uvicorn would send plain text."""
        self._reject(*_NOT_HTTP)

    def _reject(self, status: int, title: str, detail: str) -> None:
        """Send a problem in place of the app's response, and close the connection.

        If earlier requests on this connection are waiting for responses, only those are sent.
        """
        if self.transport.is_closing():
            return
        if self._is_working:
            self.cycle.keep_alive = False
            self.flow.pause_reading()
            return
        if self.cycle is not None and not self.cycle.response_complete:
            if self.cycle.response_started or self.pipeline:
                self.transport.abort()
                return
            self.cycle.disconnected = True  # the app must not send a second response
        body = _body(status, title, detail)
        headers = [*self.server_state.default_headers, *_headers(status, body)]
        lines = b"".join(name + b": " + value + b"\r\n" for name, value in headers)
        self.transport.write(STATUS_LINE[status] + lines + b"\r\n" + body)
        self.transport.close()


def _problem_app(status: int, title: str, detail: str) -> ASGIApp:
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
