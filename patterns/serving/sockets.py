"""Listening sockets, and the URLs at which clients reach them."""

import errno
import socket

from patterns.serving.errors import CannotServe

_PORT_ERRORS = {errno.EADDRINUSE, errno.EACCES}


def listening_socket(host: str, port: int) -> socket.socket:
    """A listening socket, which child processes can inherit. Port 0 picks a free one.

    Raises `CannotServe` if the port is in use, or if the address does not belong to this machine.
    """
    try:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        listener = socket.create_server((host, port), family=family, backlog=2048)
    except (OSError, OverflowError) as error:
        message = error.strerror if isinstance(error, OSError) else str(error)
        # The rest of the message repeats the address.
        reason = str(message).removeprefix("bind(): ").partition(" (while")[0].rstrip(".")
        option = "--port" if isinstance(error, OverflowError) or error.errno in _PORT_ERRORS else "--host"
        raise CannotServe(f"Cannot listen on {host}:{port}: {reason}. Choose another with {option}.") from error
    listener.set_inheritable(True)
    return listener


def free_port() -> int:
    """A port on loopback that is currently free."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def url_of(listener: socket.socket) -> str:
    """The URL of a listening socket."""
    address, port = listener.getsockname()[:2]
    return f"http://{f'[{address}]' if ':' in address else address}:{port}"


def connectable(url: str) -> str:
    """The URL with loopback in place of the address that means "all interfaces", to which clients cannot connect."""
    return url.replace("0.0.0.0", "127.0.0.1").replace("[::]", "[::1]")
