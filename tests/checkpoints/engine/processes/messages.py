"""Messages between pytest and the process that starts the learner's code: orders, replies, open files."""

import json
import socket
import struct
from collections.abc import Sequence
from typing import Any


def send(control: socket.socket, message: dict[str, Any], descriptors: Sequence[int] = ()) -> None:
    """Send one message: its length, then JSON, along with open files."""
    body = json.dumps(message).encode()
    socket.send_fds(control, [struct.pack("!I", len(body))], list(descriptors))
    control.sendall(body)


def receive(control: socket.socket) -> tuple[dict[str, Any], list[int]] | None:
    """The next message, and the files that came with it; None if the other end is closed."""
    head, descriptors, _, _ = socket.recv_fds(control, 4, 4)
    if len(head) < 4:
        return None
    (length,) = struct.unpack("!I", head)
    body = bytearray()
    while len(body) < length:
        if not (more := control.recv(length - len(body))):
            return None
        body += more
    return json.loads(body), descriptors
