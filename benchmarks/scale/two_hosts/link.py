"""A network link on one machine: a TCP proxy that can be cut and restored.

While it is cut, it forwards neither data nor the end of a connection. Connections stay open, as if packets were
dropped.
"""

import socket
import threading
from contextlib import suppress
from types import TracebackType
from typing import Self


class Link:
    """Listens on one address and forwards to another."""

    def __init__(self, to: tuple[str, int], address: str = "127.0.0.1") -> None:
        self._to = to
        self._listener = socket.create_server((address, 0), backlog=256)
        self._whole = threading.Event()
        self._whole.set()
        self._closed = False
        self._sockets: set[socket.socket] = set()
        self.host, self.port = self._listener.getsockname()[:2]
        threading.Thread(target=self._accept, daemon=True).start()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._closed = True
        self._whole.set()
        for end in (self._listener, *self._sockets):
            _close(end)

    def cut(self) -> None:
        """Stop forwarding."""
        self._whole.clear()

    def heal(self) -> None:
        """Forward again, beginning with the data held back."""
        self._whole.set()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                near, _ = self._listener.accept()
                threading.Thread(target=self._join, args=[near], daemon=True).start()

    def _join(self, near: socket.socket) -> None:
        self._sockets.add(near)
        self._whole.wait()
        try:
            far = socket.create_connection(self._to)
        except OSError:
            _close(near)
            return
        self._sockets.add(far)
        for end in (near, far):
            end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        back = threading.Thread(target=self._carry, args=[far, near], daemon=True)
        back.start()
        self._carry(near, far)
        back.join()
        for end in (near, far):
            _close(end)
            self._sockets.discard(end)

    def _carry(self, source: socket.socket, sink: socket.socket) -> None:
        data = b"?"
        while data and not self._closed:
            try:
                data = source.recv(65536)
            except OSError:
                data = b""
            self._whole.wait()
            try:
                sink.sendall(data) if data else sink.shutdown(socket.SHUT_WR)
            except OSError:
                data = b""
        if self._closed:
            return
        with suppress(OSError):
            source.shutdown(socket.SHUT_RD)


def _close(end: socket.socket) -> None:
    with suppress(OSError):
        end.shutdown(socket.SHUT_RDWR)
    end.close()
