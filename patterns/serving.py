"""Everything a pattern needs, started together and stopped together.

`running(pattern)` starts Redis if none is given, then the worker, then the web processes, and waits until
`/health` says that all of it works. Leaving the block stops all of it.
"""

import os
import socket
import sys
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

from patterns.descriptor import Pattern
from patterns.processes import Child, Family, ProcessFailed
from patterns.redis_server import check_redis, start_redis
from patterns.settings import Settings, load_settings

_READY_SECONDS = 30.0
_MOST_DEATHS, _DEATHS_WITHIN_SECONDS = 4, 60.0


class CannotServe(Exception):
    """What was asked for cannot be served. The message says why, and what to do."""


class NotConfigured(ProcessFailed):
    """A child could not use its settings, and has said so itself on this process's output."""


@dataclass(frozen=True)
class Running:
    """A pattern that is up and healthy."""

    pattern: Pattern
    url: str
    redis: Child | None
    redis_url: str | None
    workers: list[Child]
    web: list[Child]
    family: Family

    @property
    def children(self) -> list[Child]:
        """Every process, in the order in which they were started."""
        return self.family.children

    def supervise(self, tell: Callable[[str], None]) -> None:
        """Start again what dies, as a process manager would, until interrupted; `tell` gets a line each time.

        Raises `ProcessFailed` for a process that dies again and again.
        """
        deaths: deque[float] = deque(maxlen=_MOST_DEATHS)
        while True:
            for child in self.children:
                if child.exit_code is None:
                    continue
                if len(deaths) == _MOST_DEATHS and time.monotonic() - deaths[0] < _DEATHS_WITHIN_SECONDS:
                    raise ProcessFailed(f"The {child.name} {child.how_it_ended}, the fifth end within a minute.")
                deaths.append(time.monotonic())
                ended, how = child.pid, child.how_it_ended
                child.start()
                tell(f"The {child.name} (process {ended}) {how}. Started again as process {child.pid}.")
            time.sleep(0.2)


@contextmanager
def running(
    pattern: Pattern,
    *,
    host: str = "127.0.0.1",
    port: int = 0,
    web_processes: int = 1,
    env: Mapping[str, str] | None = None,
    log: Path | None = None,
    meanwhile: Callable[[Family, str], None] | None = None,
) -> Iterator[Running]:
    """Serve `pattern` for as long as the block lasts; port 0 takes a free one.

    `env` is added to the environment of every process. What they print goes to `log`, or to this process's
    own output. `meanwhile` is called with the family and the URL before anything is healthy: what takes long to start
    may begin beside it. Raises `CannotServe`, `ProcessFailed`, and `SettingsError`.
    """
    if web_processes > 1 and not pattern.scales_out:
        raise CannotServe(
            f"{pattern.name} keeps its task records in the web process, so with {web_processes} of them a client "
            f"would ask one for a task that another has. Use one, or celery_queue."
        )
    settings = load_settings()
    environment = {**os.environ, **(env or {})}
    with listening_socket(host, port) as listener, Family(log) as family:
        redis = None
        if "redis" in pattern.needs and not environment.get("REDIS_URL"):
            server = start_redis(family)
            environment["REDIS_URL"], redis = server.url, server.child
        elif "redis" in pattern.needs:
            check_redis(environment["REDIS_URL"])
        workers = [
            family.start(p.name, [sys.executable, *p.arguments], {**environment, **p.env}) for p in pattern.processes
        ]
        web_argv = [sys.executable, "-m", "patterns.web", pattern.app, "--fd", str(listener.fileno())]
        web = [family.start("web server", web_argv, environment, [listener.fileno()]) for _ in range(web_processes)]
        address, bound_port = listener.getsockname()[:2]
        url = f"http://{f'[{address}]' if ':' in address else address}:{bound_port}"
        if meanwhile:
            meanwhile(family, url)
        wait_until_healthy(url.replace("0.0.0.0", "127.0.0.1").replace("[::]", "[::1]"), family)
        try:
            yield Running(pattern, url, redis, environment.get("REDIS_URL"), workers, web, family)
        finally:
            family.stop(patience_of(settings))


def patience_of(settings: Settings) -> float:
    """How long to wait for a process that was asked to end: its own grace period, and some to close up."""
    return settings.grace_seconds + 3.0


def listening_socket(host: str, port: int) -> socket.socket:
    """A socket that listens. Raises `CannotServe` when the port is in use or the address is not ours."""
    try:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        listener = socket.create_server((host, port), family=family, backlog=2048)
    except (OSError, OverflowError) as error:
        said = error.strerror if isinstance(error, OSError) else str(error)
        reason = str(said).partition(" (while")[0].rstrip(".")  # what follows repeats the address
        raise CannotServe(f"Cannot listen on {host}:{port}: {reason}. Choose another with --port.") from error
    listener.set_inheritable(True)
    return listener


def wait_until_healthy(url: str, family: Family) -> None:
    """Return once `/health` answers 200. Raises `ProcessFailed` when a child ends first, or after 30 s."""
    deadline, said = time.monotonic() + _READY_SECONDS, "nothing"
    while time.monotonic() < deadline:
        for child in family.children:
            if child.exit_code == os.EX_CONFIG and family.log is None:
                raise NotConfigured(_why_it_ended(child, family.log))
            if child.exit_code is not None:
                raise ProcessFailed(_why_it_ended(child, family.log))
        try:
            answer = httpx.get(f"{url}/health", timeout=2, trust_env=False)
            if answer.status_code == 200:
                return
            said = answer.json().get("detail", answer.text)
        except (httpx.TransportError, ValueError) as error:
            said = f"{type(error).__name__}"
        time.sleep(0.05)
    raise ProcessFailed(f"Not healthy after {_READY_SECONDS:g} s: {said}")


def _why_it_ended(child: Child, log: Path | None) -> str:
    lines = log.read_text(errors="replace").strip().splitlines() if log else []
    last = lines[-1].removeprefix("kit: ") if lines else "it has said why"
    return f"The {child.name} {child.how_it_ended} before it was ready: {last}"
