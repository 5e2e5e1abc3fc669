"""Only what a submit touches: one web process and, if needed, Redis.

No worker runs, so none competes with the web process for CPU time.
"""

import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from patterns.serving.processes import Child, Family
from patterns.serving.readiness import wait_until_answering
from patterns.serving.redis_server import start_redis
from patterns.serving.sockets import listening_socket, url_of

#: Short, because the accepted tasks are discarded.
_STOP_SECONDS = 0.5


@dataclass(frozen=True)
class WebServer:
    """A web process that is ready."""

    port: int
    child: Child


@contextmanager
def web_server(
    arguments: Sequence[str], *, env: Mapping[str, str], needs_redis: bool, log: Path
) -> Iterator[WebServer]:
    """Run `python ARGUMENTS --fd N` while the block lasts. Raises `ProcessFailed`, `CannotServe`."""
    environment = {**os.environ, **env}
    with listening_socket("127.0.0.1", 0) as listener, Family(log) as family:
        if needs_redis and not environment.get("REDIS_URL"):
            environment["REDIS_URL"] = start_redis(family).url
        argv = [sys.executable, *arguments, "--fd", str(listener.fileno())]
        child = family.start("web server", argv, environment, [listener.fileno()])
        wait_until_answering(url_of(listener), family)
        try:
            yield WebServer(int(listener.getsockname()[1]), child)
        finally:
            family.stop(_STOP_SECONDS)
