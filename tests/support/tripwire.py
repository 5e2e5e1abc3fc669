"""Proof that no connection was made: a port on 127.0.0.1 and, if the machine has IPv6, on [::1]."""

import socket
from contextlib import suppress
from types import TracebackType
from typing import Self

from tests.support.waiting import PATIENCE_SECONDS


class Tripwire:
    """Listens, and accepts connections only when asked for visitors."""

    def __init__(self) -> None:
        ipv4 = socket.create_server(("127.0.0.1", 0), backlog=512)
        self.port: int = ipv4.getsockname()[1]
        self._listeners = [ipv4]
        with suppress(OSError):  # a machine without IPv6 has no [::1]
            self._listeners.append(socket.create_server(("::1", self.port), family=socket.AF_INET6, backlog=512))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        for listener in self._listeners:
            listener.close()

    def visitors(self) -> list[str]:
        """Who has connected since the last call. Connects itself to find the end of the queue, so no wait is needed."""
        return [visitor for listener in self._listeners for visitor in self._visitors(listener)]

    @staticmethod
    def _visitors(listener: socket.socket) -> list[str]:
        address = listener.getsockname()[:2]
        listener.settimeout(PATIENCE_SECONDS)
        with socket.create_connection(address, timeout=PATIENCE_SECONDS) as last:
            before: list[str] = []
            while True:
                connection, visitor = listener.accept()
                connection.close()
                if visitor == last.getsockname():
                    return before
                before.append(f"{visitor} at {address}")
