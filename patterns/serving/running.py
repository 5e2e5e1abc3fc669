"""Everything a pattern needs, started together and stopped together.

`running(pattern)` starts Redis if none is given, then the worker, then the web processes, and waits until
`/health` says that all of it works. Leaving the block stops all of it.
"""

import errno
import os
import re
import secrets
import socket
import sys
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

from patterns.contract.descriptor import Pattern, Process
from patterns.contract.settings import Settings, load_settings
from patterns.serving.processes import Child, Family, ProcessFailed
from patterns.serving.redis_server import check_broker, check_redis, start_redis

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

    @property
    def has_tasks(self) -> bool:
        """Whether a stop has tasks to wait for."""
        return has_tasks(self.url, pending_too=not self.pattern.processes)

    def supervise(self, tell: Callable[[str], None]) -> None:
        """As `supervise`."""
        supervise(self.family, tell)


def has_tasks(url: str, pending_too: bool) -> bool:
    """Whether tasks run, or wait in the web process, according to `/metrics`. True if that does not answer."""
    try:
        text = httpx.get(f"{as_reached_from_here(url)}/metrics", timeout=1, trust_env=False).text
    except httpx.TransportError:
        return True
    counts = dict(re.findall(r'^longjobs_tasks\{state="(\w+)"\} ([\d.]+)$', text, re.MULTILINE))
    wanted = ["running", "pending"] if pending_too else ["running"]
    return any(float(counts.get(state, 1)) for state in wanted)


def supervise(family: Family, tell: Callable[[str], None]) -> None:
    """Start again what dies, as a process manager would, until interrupted; `tell` gets a line each time.

    Raises `ProcessFailed` for a process that dies again and again.
    """
    deaths: deque[float] = deque(maxlen=_MOST_DEATHS)
    while True:
        for child in family.children:
            if child.exit_code is None:
                continue
            if len(deaths) == _MOST_DEATHS and time.monotonic() - deaths[0] < _DEATHS_WITHIN_SECONDS:
                raise ProcessFailed(f"The {child.name} {child.how_it_ended}, its fifth exit within a minute.")
            deaths.append(time.monotonic())
            ended, how = child.pid, child.how_it_ended
            child.start()
            tell(f"The {child.name} (process {ended}) {how}. Restarted as process {child.pid}.")
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
            f"{pattern.name} keeps its task records in the web process: with {web_processes} of them, a status "
            f"request could reach one that does not know the task. Use --workers 1, or serve celery_queue."
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
        if pattern.processes and environment.get("KIT_BROKER_URL"):
            check_broker(environment["KIT_BROKER_URL"])
        workers = [start_worker(family, process, environment) for process in pattern.processes]
        web = start_web(family, pattern, environment, listener, web_processes)
        url = url_of(listener)
        if meanwhile:
            meanwhile(family, url)
        wait_until_healthy(as_reached_from_here(url), family)
        try:
            yield Running(pattern, url, redis, environment.get("REDIS_URL"), workers, web, family)
        finally:
            family.stop(patience_of(settings))


def start_worker(family: Family, process: Process, env: Mapping[str, str], unique: str | None = None) -> Child:
    """Start a process that a pattern needs beside the web server."""
    name = unique or secrets.token_hex(3)
    arguments = [argument.replace("{unique}", name) for argument in process.arguments]
    return family.start(process.name, [sys.executable, *arguments], {**env, **process.env})


def start_web(
    family: Family, pattern: Pattern, env: Mapping[str, str], listener: socket.socket, processes: int
) -> list[Child]:
    """Start the web processes of a pattern, all on one socket."""
    argv = [sys.executable, "-m", "patterns.web.process", pattern.app, "--fd", str(listener.fileno())]
    return [family.start("web server", argv, env, [listener.fileno()]) for _ in range(processes)]


def url_of(listener: socket.socket) -> str:
    """The URL of who listens there."""
    address, port = listener.getsockname()[:2]
    return f"http://{f'[{address}]' if ':' in address else address}:{port}"


def as_reached_from_here(url: str) -> str:
    """The URL with an address that one can connect to, where it listens on all of them."""
    return url.replace("0.0.0.0", "127.0.0.1").replace("[::]", "[::1]")


def patience_of(settings: Settings) -> float:
    """How long to wait for a process that was asked to end: its own grace period, and some to close up."""
    return settings.grace_seconds + 3.0


_ABOUT_THE_PORT = {errno.EADDRINUSE, errno.EACCES}


def listening_socket(host: str, port: int) -> socket.socket:
    """A socket that listens. Raises `CannotServe` when the port is in use or the address is not ours."""
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


def wait_until_healthy(url: str, family: Family) -> None:
    """Return once `/health` answers 200. Raises `ProcessFailed` when a child ends first, or after 30 s."""
    said = "nothing"

    def healthy() -> bool:
        nonlocal said
        try:
            answer = httpx.get(f"{url}/health", timeout=2, trust_env=False)
            if answer.status_code == 200:
                return True
            said = answer.json().get("detail", answer.text)
        except (httpx.TransportError, ValueError) as error:
            said = f"{type(error).__name__}"
        return False

    wait_until_up(healthy, family, lambda: f"Not healthy after {_READY_SECONDS:g} s: {said}")


def wait_until_up(is_up: Callable[[], bool], family: Family, what_is_wrong: Callable[[], str]) -> None:
    """Return once `is_up` says so. Raises `ProcessFailed` when a child ends first, or after 30 s."""
    deadline = time.monotonic() + _READY_SECONDS
    while time.monotonic() < deadline:
        for child in family.children:
            if child.exit_code == os.EX_CONFIG and family.log is None:
                raise NotConfigured(_why_it_ended(child, family.log))
            if child.exit_code is not None:
                raise ProcessFailed(_why_it_ended(child, family.log))
        if is_up():
            return
        time.sleep(0.05)
    raise ProcessFailed(what_is_wrong())


def _why_it_ended(child: Child, log: Path | None) -> str:
    lines = log.read_text(errors="replace").strip().splitlines() if log else []
    said = [line.rpartition("kit: ")[2] for line in lines if "kit: " in line]  # some print a table after it
    last = said[-1] if said else lines[-1] if lines else "its output is above"
    return f"The {child.name} {child.how_it_ended} before it was ready: {last}"
