"""Everything that a pattern needs, or one part of it, started together and stopped together.

`running(pattern)` starts Redis if none is given, then the worker, then the web processes, and waits until
`/health` says that all of it works. With a `role` it starts that part only, as one of several hosts does: web
processes here, workers there, one Redis for all. Leaving the block stops what it has started.
"""

import os
import secrets
import socket
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from patterns.contract.descriptor import Pattern
from patterns.contract.settings import load_settings
from patterns.serving.errors import CannotServe
from patterns.serving.processes import Child, Family
from patterns.serving.readiness import has_tasks, wait_until_answering, wait_until_healthy, wait_until_heartbeat
from patterns.serving.redis_server import check_broker, check_redis, start_redis
from patterns.serving.sockets import connectable, listening_socket, url_of
from patterns.serving.supervising import supervise

#: A process that was asked to end gets its own grace period, and this long to close up.
_CLOSING_SECONDS = 3.0


class Role(StrEnum):
    """The part of a pattern that one host runs."""

    WEB = "web"
    WORKER = "worker"


@dataclass(frozen=True)
class Running:
    """A pattern that is up, or the part of it with this role."""

    pattern: Pattern
    url: str  # empty for a worker part, which does not listen
    redis: Child | None
    redis_url: str | None
    workers: list[Child]
    web: list[Child]
    family: Family
    role: Role | None = None
    missing: str | None = None  # what the `/health` of a web part misses, in its own words

    @property
    def children(self) -> list[Child]:
        """Every process, in the order in which they were started."""
        return self.family.children

    @property
    def has_tasks(self) -> bool:
        """Whether a stop may have tasks to wait for. A worker part does not say how many it runs."""
        if self.role:
            return self.role is Role.WORKER
        return has_tasks(self.url, pending_too=not self.pattern.processes)

    def supervise(self, report: Callable[[str], None]) -> None:
        """As `supervise`."""
        supervise(self.family, report)


@contextmanager
def running(
    pattern: Pattern,
    *,
    role: Role | None = None,
    host: str = "127.0.0.1",
    port: int = 0,
    web_processes: int = 1,
    env: Mapping[str, str] | None = None,
    log: Path | None = None,
    meanwhile: Callable[[Family, str], None] | None = None,
) -> Iterator[Running]:
    """Serve `pattern`, or the part of it with this role, for as long as the block lasts; port 0 takes a free one.

    `env` is added to the environment of every process. What they print goes to `log`, or to this process's
    own output. `meanwhile` is called with the family and the URL before anything is up: what takes long to start
    may begin beside it. Raises `CannotServe`, `ProcessFailed`, and `SettingsError`.
    """
    settings = load_settings()
    environment = {**os.environ, **(env or {})}
    _check_possible(pattern, role, web_processes, environment)
    with ExitStack() as stack:
        listener = None if role is Role.WORKER else stack.enter_context(listening_socket(host, port))
        family = stack.enter_context(Family(log))
        redis = _provide_brokers(pattern, family, environment)
        workers = {} if role is Role.WEB else _start_workers(pattern, family, environment)
        url = url_of(listener) if listener else ""
        web = _start_web(pattern, family, environment, listener, web_processes) if listener else []
        if meanwhile:
            meanwhile(family, url)
        if role is Role.WORKER:
            prefix = environment.get("KIT_KEY_PREFIX") or settings.key_prefix
            wait_until_heartbeat(workers, environment["REDIS_URL"], prefix, family)
        missing = _wait_until_served(connectable(url), role, family) if listener else None
        try:
            redis_url = environment.get("REDIS_URL")
            yield Running(pattern, url, redis, redis_url, [*workers.values()], web, family, role, missing)
        finally:
            family.stop(settings.grace_seconds + _CLOSING_SECONDS)


def _wait_until_served(url: str, role: Role | None, family: Family) -> str | None:
    """Return what `/health` misses: a web part is up as soon as it answers, all of a pattern when it is healthy."""
    if role is None:
        wait_until_healthy(url, family)
        return None
    health = wait_until_answering(url, family)
    return None if health.status_code == 200 else str(health.json()["detail"])


def _check_possible(pattern: Pattern, role: Role | None, web_processes: int, env: Mapping[str, str]) -> None:
    if web_processes > 1 and not pattern.scales_out:
        raise CannotServe(
            f"{pattern.name} keeps its task records in the web process: with {web_processes} of them, a status "
            f"request could reach one that does not know the task. Use --workers 1, or serve celery_queue."
        )
    if role and not pattern.processes:
        raise CannotServe(
            f"{pattern.name} runs its tasks in the web process, so it has no separate parts. "
            "Leave out --role, or serve celery_queue."
        )
    if role and not env.get("REDIS_URL"):  # a private one could not be reached by the other part
        raise CannotServe(
            f"--role {role} requires REDIS_URL: web processes and workers share one Redis. "
            "Start a Redis that every host can reach, and set REDIS_URL=redis://HOST:6379/0 for each part."
        )


def _provide_brokers(pattern: Pattern, family: Family, env: dict[str, str]) -> Child | None:
    """Check that those in `env` can be reached; without a Redis that it needs, start a private one and enter it."""
    redis = None
    if "redis" in pattern.needs and not env.get("REDIS_URL"):
        server = start_redis(family)
        env["REDIS_URL"], redis = server.url, server.child
    elif "redis" in pattern.needs:
        check_redis(env["REDIS_URL"])
    if pattern.processes and env.get("KIT_BROKER_URL"):
        check_broker(env["KIT_BROKER_URL"])
    return redis


def _start_workers(pattern: Pattern, family: Family, env: Mapping[str, str]) -> dict[str, Child]:
    """Start the processes that a pattern needs beside the web server, by the unique name of each."""
    workers = {}
    for process in pattern.processes:
        name = secrets.token_hex(3)
        arguments = [argument.replace("{unique}", name) for argument in process.arguments]
        workers[name] = family.start(process.name, [sys.executable, *arguments], {**env, **process.env})
    return workers


def _start_web(
    pattern: Pattern, family: Family, env: Mapping[str, str], listener: socket.socket, processes: int
) -> list[Child]:
    """Start the web processes of a pattern, all on one socket."""
    argv = [sys.executable, "-m", "patterns.web.process", pattern.app, "--fd", str(listener.fileno())]
    return [family.start("web server", argv, env, [listener.fileno()]) for _ in range(processes)]
