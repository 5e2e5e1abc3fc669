"""What may be found at an address instead of a server of the contract."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from tests.checkpoints.engine.http.scripted_server import Reply, ScriptedServer
from tests.cli.node_server import node_server
from tests.support.scripted_server import bound_socket


@contextmanager
def refused() -> Iterator[str]:
    """A port without a listener."""
    with bound_socket() as taken:
        yield f"http://127.0.0.1:{taken.getsockname()[1]}"


@contextmanager
def silent() -> Iterator[str]:
    """It accepts every connection, and never answers."""
    with socket.create_server(("127.0.0.1", 0), backlog=256) as listener:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"


@contextmanager
def another_protocol() -> Iterator[str]:
    """It greets its clients, as an SSH server does."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def greet() -> None:
            with suppress(OSError):
                while True:
                    connection, _ = listener.accept()
                    connection.sendall(b"SSH-2.0-OpenSSH_9.9\r\n")
                    connection.close()

        threading.Thread(target=greet, daemon=True).start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        with suppress(OSError):
            listener.shutdown(socket.SHUT_RDWR)  # wakes the thread in accept()


@contextmanager
def another_website() -> Iterator[str]:
    """It answers 404 with a page."""
    with ScriptedServer(lambda _: Reply(404, "<h1>Not Found</h1>", {"content-type": "text/html"})) as peer:
        yield peer.url


@contextmanager
def one_that_dies() -> Iterator[str]:
    """A correct server, until it gets a long body."""
    with node_server(FAULT="dies") as url:
        yield url
