"""A connection that sends exactly the bytes it is given, where an HTTP client would correct them first."""

import socket
from contextlib import suppress
from http.client import parse_headers
from types import TracebackType
from typing import Self

import httpx

from tests.support.serving import Served
from tests.support.waiting import PATIENCE_SECONDS


class Raw:
    """One connection to a server."""

    def __init__(self, served: Served, *, receive_buffer: int | None = None) -> None:
        url = httpx.URL(served.url)
        self._served = served
        self._socket = socket.socket()
        if receive_buffer is not None:
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self._socket.settimeout(PATIENCE_SECONDS)
        self._socket.connect((url.host, url.port))
        self.port: int = self._socket.getsockname()[1]
        self._read = self._socket.makefile("rb")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connection."""
        self._read.close()
        self._socket.close()

    def send(self, data: bytes) -> Self:
        """Send these bytes."""
        self._socket.sendall(data)
        return self

    def answer(self, method: str = "GET", target: str = "/") -> httpx.Response:
        """The next answer, which must be documented for `method` and `target`, or be a problem."""
        version, status, *_ = self._read.readline().split(maxsplit=2) or (b"nothing", b"0")
        assert version == b"HTTP/1.1", f"the server closed the connection, or said {version!r}"
        if status == b"100":
            self._read.readline()
            return self.answer(method, target)
        headers = list(parse_headers(self._read).items())
        body = self._read.read(int(dict(headers).get("content-length", 0)))
        request = httpx.Request(method, httpx.URL(self._served.url).copy_with(raw_path=target.encode("latin-1")))
        answer = httpx.Response(int(status), headers=headers, content=body, request=request)
        self._served.openapi.check(answer)
        return answer

    def rest(self) -> bytes:
        """All that still comes until the server closes the connection, which it must."""
        came = b""
        with suppress(ConnectionError):
            while data := self._socket.recv(65_536):
                came += data
        return came
