"""A keep-alive connection for load generators: requests made beforehand, answers parsed by httptools.

The load generator must cost much less than the server that it measures. A general client spends more time on
a request than the fastest servers here do.
"""

import socket
from dataclasses import dataclass

import httptools

_BLOCK = 65_536


class BadAnswer(Exception):
    """The server sent no HTTP answer after which the connection stays open."""


@dataclass(frozen=True, slots=True)
class Answer:
    """A whole answer."""

    status: int
    body: bytes


def get(path: str, header: str = "") -> bytes:
    """A GET request, perhaps with one more header."""
    more = f"{header}\r\n" if header else ""
    return f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n{more}\r\n".encode()


def post(path: str, body: bytes) -> bytes:
    """A POST request with a JSON body."""
    head = f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nContent-Length: {len(body)}"
    return head.encode() + b"\r\n\r\n" + body


class AnswerReader:
    """Puts answers together from what arrives, one after the other."""

    def __init__(self) -> None:
        self._parser = httptools.HttpResponseParser(self)
        self._body = b""
        self._answer: Answer | None = None
        self._stays_open = True

    def feed(self, data: bytes) -> Answer | None:
        """The answer once it is whole. Raises `BadAnswer`."""
        if not data:
            raise BadAnswer("the server closed the connection")
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError as error:
            raise BadAnswer(f"no HTTP answer: {error}") from None
        if not self._stays_open:
            raise BadAnswer("an answer that ends the connection")
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
        """Send, and do not wait."""
        self._socket.sendall(request)

    def receive(self) -> Answer | None:
        """Read what is there; the answer once it is whole. Raises `BadAnswer`."""
        return self._reader.feed(self._socket.recv(_BLOCK))

    def ask(self, request: bytes) -> Answer:
        """Send, and wait for the answer. Raises `BadAnswer`, `OSError`."""
        self.send(request)
        while (answer := self.receive()) is None:
            pass
        return answer

    def fileno(self) -> int:
        """For `select`."""
        return self._socket.fileno()

    def close(self) -> None:
        """Close it."""
        self._socket.close()
