"""Sockets to listen on, and the URLs at which clients reach them."""

import errno
import socket

from patterns.serving.errors import CannotServe

_ABOUT_THE_PORT = {errno.EADDRINUSE, errno.EACCES}


def listening_socket(host: str, port: int) -> socket.socket:
    """A socket that listens; port 0 takes a free one.

    Raises `CannotServe` when the port is in use, or the address is not one of this machine.
    """
    try:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        listener = socket.create_server((host, port), family=family, backlog=2048)
    except (OSError, OverflowError) as error:
        said = error.strerror if isinstance(error, OSError) else str(error)
        # What follows the reason repeats the address.
        reason = str(said).removeprefix("bind(): ").partition(" (while")[0].rstrip(".")
        option = "--port" if isinstance(error, OverflowError) or error.errno in _ABOUT_THE_PORT else "--host"
        raise CannotServe(f"Cannot listen on {host}:{port}: {reason}. Choose another with {option}.") from error
    listener.set_inheritable(True)
    return listener


def free_port() -> int:
    """A port of loopback on which nothing listens now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def url_of(listener: socket.socket) -> str:
    """The URL at which it listens."""
    address, port = listener.getsockname()[:2]
    return f"http://{f'[{address}]' if ':' in address else address}:{port}"


def connectable(url: str) -> str:
    """The same URL with an address to connect to, where the server listens on all addresses."""
    return url.replace("0.0.0.0", "127.0.0.1").replace("[::]", "[::1]")
