"""Sends one command to a Redis, without redis-py: its import would take longer than the command.

The protocol is RESP2: https://redis.io/docs/latest/develop/reference/protocol-spec/
"""

import socket
from typing import IO
from urllib.parse import urlsplit

Reply = str | list["Reply"] | None

_TIMEOUT_SECONDS = 5.0


def ask_redis(url: str, *words: str) -> Reply:
    """The reply to one command. Raises `OSError` if Redis does not reply, or replies with an error."""
    parts = urlsplit(url)
    commands = [["AUTH", parts.password], words] if parts.password else [words]
    with socket.create_connection((parts.hostname or "127.0.0.1", parts.port or 6379), _TIMEOUT_SECONDS) as connection:
        connection.sendall(b"".join(_command(*command) for command in commands))
        with connection.makefile("rb") as stream:
            return [_reply(stream) for _ in commands][-1]


def _command(*words: str) -> bytes:
    encoded = [word.encode() for word in words]
    return b"*%d\r\n" % len(encoded) + b"".join(b"$%d\r\n%b\r\n" % (len(word), word) for word in encoded)


def _reply(stream: IO[bytes]) -> Reply:
    line = stream.readline().rstrip().decode()
    kind, value = line[:1], line[1:]
    if kind == "*":
        return [_reply(stream) for _ in range(int(value))]
    if kind == "$":
        return None if value == "-1" else stream.read(int(value) + 2)[:-2].decode(errors="replace")
    if kind not in {"+", ":"}:
        raise OSError(value or "Redis has closed the connection")
    return value
