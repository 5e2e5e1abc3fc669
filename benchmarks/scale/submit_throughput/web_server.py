"""One web process and, if it needs one, Redis: what a submit touches, and nothing else.

No worker runs, so none competes with the web process for the machine.
"""

import os
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

from patterns.serving.processes import Child, Family, ProcessFailed
from patterns.serving.redis_server import start_redis
from patterns.serving.running import listening_socket

_READY_SECONDS = 30.0
#: Nothing here is worth waiting for: what was accepted is thrown away.
_PATIENCE_SECONDS = 0.5


@dataclass(frozen=True)
class WebServer:
    """A web process that answers."""

    port: int
    child: Child


@contextmanager
def web_server(
    arguments: Sequence[str], *, env: Mapping[str, str], needs_redis: bool, log: Path
) -> Iterator[WebServer]:
    """Serve `python ARGUMENTS --fd N` for as long as the block lasts. Raises `ProcessFailed`, `CannotServe`."""
    environment = {**os.environ, **env}
    with listening_socket("127.0.0.1", 0) as listener, Family(log) as family:
        if needs_redis and not environment.get("REDIS_URL"):
            environment["REDIS_URL"] = start_redis(family).url
        argv = [sys.executable, *arguments, "--fd", str(listener.fileno())]
        child = family.start("web server", argv, environment, [listener.fileno()])
        port = int(listener.getsockname()[1])
        _wait_until_it_answers(port, child, log)
        try:
            yield WebServer(port, child)
        finally:
            family.stop(_PATIENCE_SECONDS)


def _wait_until_it_answers(port: int, child: Child, log: Path) -> None:
    """Any answer will do: a web process without a worker says 503 to `/health`."""
    deadline = time.monotonic() + _READY_SECONDS
    while time.monotonic() < deadline:
        if child.exit_code is not None:
            lines = log.read_text(errors="replace").strip().splitlines() or ["it said nothing"]
            raise ProcessFailed(f"The web server {child.how_it_ended}: {lines[-1]}")
        try:
            httpx.get(f"http://127.0.0.1:{port}/health", timeout=2, trust_env=False)
        except httpx.TransportError:
            time.sleep(0.05)
        else:
            return
    raise ProcessFailed(f"The web server did not answer within {_READY_SECONDS:g} s. Its log is {log}")
