"""One command to a Redis, without the library, whose import would take longer than the command.

The protocol is RESP2: https://redis.io/docs/latest/develop/reference/protocol-spec/
"""

import socket
from typing import IO
from urllib.parse import urlsplit

Reply = str | list["Reply"] | None

_SECONDS = 5.0


def ask_redis(url: str, *words: str) -> Reply:
    """The reply to one command. Raises `OSError` when Redis does not answer, or refuses."""
    parts = urlsplit(url)
    commands = [["AUTH", parts.password], words] if parts.password else [words]
    with socket.create_connection((parts.hostname or "127.0.0.1", parts.port or 6379), _SECONDS) as connection:
        connection.sendall(b"".join(_command(*command) for command in commands))
        with connection.makefile("rb") as answers:
            return [_reply(answers) for _ in commands][-1]


def _command(*words: str) -> bytes:
    encoded = [word.encode() for word in words]
    return b"*%d\r\n" % len(encoded) + b"".join(b"$%d\r\n%b\r\n" % (len(word), word) for word in encoded)


def _reply(answers: IO[bytes]) -> Reply:
    line = answers.readline().rstrip().decode()
    kind, said = line[:1], line[1:]
    if kind == "*":
        return [_reply(answers) for _ in range(int(said))]
    if kind == "$":
        return None if said == "-1" else answers.read(int(said) + 2)[:-2].decode(errors="replace")
    if kind not in {"+", ":"}:
        raise OSError(said or "Redis has hung up")
    return said
