"""Just enough HTTP/1.1 to load a server without being the bottleneck: requests made beforehand, answers counted.

The load generator must cost much less than the server that it measures. A general client spends more time on
a request than the fastest servers here do, so these few lines stand in for one. They know one kind of answer:
with a Content-Length, on a connection that stays open, which is what all the measured servers send.
"""

import socket
from dataclasses import dataclass

_BLOCK = 65_536


class BadAnswer(Exception):
    """The server sent something that these lines do not know, or closed the connection."""


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


class Reader:
    """Puts an answer together from what arrives."""

    def __init__(self) -> None:
        self._buffer = b""

    def feed(self, data: bytes) -> Answer | None:
        """The answer once it is whole. Raises `BadAnswer`."""
        if not data:
            raise BadAnswer("the server closed the connection")
        buffer = self._buffer = self._buffer + data
        end = buffer.find(b"\r\n\r\n")
        if end < 0:
            return None
        head = buffer[:end].lower()
        at = head.find(b"content-length:")
        if at < 0 or not head.startswith(b"http/1.1 "):
            raise BadAnswer("an answer without a Content-Length")
        line_end = head.find(b"\r\n", at)
        length = int(head[at + 15 : line_end if line_end > 0 else end])
        if len(buffer) < end + 4 + length:
            return None
        self._buffer = b""
        return Answer(int(head[9:12]), buffer[end + 4 :])


class Connection:
    """One connection, one request at a time."""

    def __init__(self, port: int, timeout: float = 30) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=timeout)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._reader = Reader()

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
