"""A keep-alive connection for load generators: prebuilt requests, responses parsed by httptools.

The load generator must use much less CPU than the server that it measures. A general HTTP client spends more time on
a request than the fastest servers here.
"""

import socket
from dataclasses import dataclass

import httptools

_BLOCK = 65_536


class BadAnswer(Exception):
    """The server sent no valid response, or one that closes the connection."""


@dataclass(frozen=True, slots=True)
class Answer:
    """A complete response."""

    status: int
    body: bytes


def get(path: str, header: str = "") -> bytes:
    """A GET request, with an optional extra header."""
    more = f"{header}\r\n" if header else ""
    return f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n{more}\r\n".encode()


def post(path: str, body: bytes) -> bytes:
    """A POST request with a JSON body."""
    head = f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nContent-Length: {len(body)}"
    return head.encode() + b"\r\n\r\n" + body


class AnswerReader:
    """Assembles responses from received data, one after the other."""

    def __init__(self) -> None:
        self._parser = httptools.HttpResponseParser(self)
        self._body = b""
        self._answer: Answer | None = None
        self._stays_open = True

    def feed(self, data: bytes) -> Answer | None:
        """Add data. Returns the response once it is complete. Raises `BadAnswer`."""
        if not data:
            raise BadAnswer("the server closed the connection")
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError as error:
            raise BadAnswer(f"not an HTTP response: {error}") from None
        if not self._stays_open:
            raise BadAnswer("the response closes the connection")
        answer, self._answer = self._answer, None
        return answer

    def on_message_begin(self) -> None:
        """Called by the parser."""
        self._body = b""

    def on_headers_complete(self) -> None:
        """Called by the parser."""
        self._stays_open = self._parser.should_keep_alive()

    def on_body(self, body: bytes) -> None:
        """Called by the parser."""
        self._body += body

    def on_message_complete(self) -> None:
        """Called by the parser."""
        self._answer = Answer(self._parser.get_status_code(), self._body)


class Connection:
    """One connection, one request at a time."""

    def __init__(self, port: int, timeout: float = 30) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=timeout)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._reader = AnswerReader()

    def send(self, request: bytes) -> None:
        """Send a request without waiting for the response."""
        self._socket.sendall(request)

    def receive(self) -> Answer | None:
        """Read available data. Returns the response once it is complete. Raises `BadAnswer`."""
        return self._reader.feed(self._socket.recv(_BLOCK))

    def ask(self, request: bytes) -> Answer:
        """Send a request and wait for the response. Raises `BadAnswer`, `OSError`."""
        self.send(request)
        while (answer := self.receive()) is None:
            pass
        return answer

    def fileno(self) -> int:
        """The file descriptor, for `select`."""
        return self._socket.fileno()

    def close(self) -> None:
        """Close the connection."""
        self._socket.close()
