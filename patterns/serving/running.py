"""Starts and stops all processes of a pattern, or those of one part.

`running(pattern)` starts a Redis if REDIS_URL is not set, then the worker, then the web processes, and waits until
`/health` returns 200. With a `role` it starts that part only, for a host that shares a Redis with others. At the end of
the block, everything that it has started is stopped.
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

#: A process that is stopped gets this long to exit after its grace period.
_EXIT_SECONDS = 3.0


class Role(StrEnum):
    """The part of a pattern that one host runs."""

    WEB = "web"
    WORKER = "worker"


@dataclass(frozen=True)
class Running:
    """A running pattern, or the part of it with this role."""

    pattern: Pattern
    url: str  # empty for a worker part
    redis: Child | None
    redis_url: str | None
    workers: list[Child]
    web: list[Child]
    family: Family
    role: Role | None = None
    missing: str | None = None  # the detail of `/health`, if a web part is not healthy

    @property
    def children(self) -> list[Child]:
        """All processes, in the order of their start."""
        return self.family.children

    @property
    def has_tasks(self) -> bool:
        """Whether tasks may be running. A worker part cannot tell, so for it this is True."""
        if self.role:
            return self.role is Role.WORKER
        return has_tasks(self.url, pending_too=not self.pattern.processes)

    def supervise(self, report: Callable[[str], None]) -> None:
        """Restart processes that exit, as `supervising.supervise` does."""
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
    """Serve `pattern`, or the part of it with this role, for as long as the block lasts. Port 0 picks a free one.

    `env` is added to the environment of every process. Their output goes to `log`, or to that of this process.
    `meanwhile` is called with the family and the URL while the processes are starting, so that it can start others in
    parallel. Raises `CannotServe`, `ProcessFailed` or `SettingsError`.
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
            family.stop(settings.grace_seconds + _EXIT_SECONDS)


def _wait_until_served(url: str, role: Role | None, family: Family) -> str | None:
    """Wait for `/health`: any response of a web part, otherwise 200. Return the detail if it is not 200."""
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
    if role and not env.get("REDIS_URL"):  # the other part could not reach a private Redis
        raise CannotServe(
            f"--role {role} requires REDIS_URL: web processes and workers share one Redis. "
            "Start a Redis that every host can reach, and set REDIS_URL=redis://HOST:6379/0 for each part."
        )


def _provide_brokers(pattern: Pattern, family: Family, env: dict[str, str]) -> Child | None:
    """Check the brokers in `env`. If the pattern needs a Redis and there is none, start one and add it to `env`."""
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
    """Start the processes that a pattern needs beside the web server. Returns them by their unique names."""
    workers = {}
    for process in pattern.processes:
        name = secrets.token_hex(3)
        arguments = [argument.replace("{unique}", name) for argument in process.arguments]
        workers[name] = family.start(process.name, [sys.executable, *arguments], {**env, **process.env})
    return workers


def _start_web(
    pattern: Pattern, family: Family, env: Mapping[str, str], listener: socket.socket, processes: int
) -> list[Child]:
    """Start the web processes of a pattern, which share one listening socket."""
    argv = [sys.executable, "-m", "patterns.web.process", pattern.app, "--fd", str(listener.fileno())]
    return [family.start("web server", argv, env, [listener.fileno()]) for _ in range(processes)]
