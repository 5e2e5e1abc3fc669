"""The parts of a pattern apart, as several hosts run them: web processes here, workers there, one Redis for all.

Unlike `serving.running`, neither part starts a Redis: the other could not reach a private one.
"""

import os
import secrets
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

import httpx
import redis

from patterns.contract.descriptor import Pattern
from patterns.contract.settings import load_settings
from patterns.redis_store.keys import Keys
from patterns.serving.processes import Child, Family
from patterns.serving.redis_server import check_broker, check_redis
from patterns.serving.running import (
    CannotServe,
    as_reached_from_here,
    listening_socket,
    patience_of,
    start_web,
    start_worker,
    supervise,
    url_of,
    wait_until_up,
)


class Role(StrEnum):
    """What one host does."""

    WEB = "web"
    WORKER = "worker"


@dataclass(frozen=True)
class Part:
    """One part that is up."""

    pattern: Pattern
    role: Role
    family: Family
    url: str | None = None  # of the web part
    missing: str | None = None  # what the web part's `/health` misses, in its own words

    @property
    def has_tasks(self) -> bool:
        """Whether a stop may have tasks to wait for: only a worker has, and it does not say how many."""
        return self.role is Role.WORKER

    @property
    def children(self) -> list[Child]:
        """Every process, in the order in which they were started."""
        return self.family.children

    def supervise(self, tell: Callable[[str], None]) -> None:
        """As `serving.supervise`."""
        supervise(self.family, tell)


@contextmanager
def running_web(
    pattern: Pattern,
    *,
    host: str = "127.0.0.1",
    port: int = 0,
    web_processes: int = 1,
    env: Mapping[str, str] | None = None,
    log: Path | None = None,
) -> Iterator[Part]:
    """Run the web processes of `pattern` for as long as the block lasts. They are up as soon as they answer.

    Raises `CannotServe`, `ProcessFailed`, and `SettingsError`.
    """
    environment = _shared(pattern, Role.WEB, env)
    with listening_socket(host, port) as listener, Family(log) as family:
        start_web(family, pattern, environment, listener, web_processes)
        url, missing = url_of(listener), None

        def answers() -> bool:
            nonlocal missing
            try:
                health = httpx.get(f"{as_reached_from_here(url)}/health", timeout=5, trust_env=False)
            except httpx.TransportError:
                return False
            missing = None if health.status_code == 200 else str(health.json()["detail"])
            return True

        wait_until_up(answers, family, lambda: "The web server does not respond.")
        try:
            yield Part(pattern, Role.WEB, family, url, missing)
        finally:
            family.stop(patience_of(load_settings()))


@contextmanager
def running_worker(
    pattern: Pattern, *, env: Mapping[str, str] | None = None, log: Path | None = None
) -> Iterator[Part]:
    """Run the workers of `pattern` for as long as the block lasts. They are up when their heartbeat is in Redis.

    Raises `CannotServe`, `ProcessFailed`, and `SettingsError`.
    """
    environment, settings = _shared(pattern, Role.WORKER, env), load_settings()
    heartbeats = Keys(environment.get("KIT_KEY_PREFIX") or settings.key_prefix).workers
    unique = secrets.token_hex(3)
    records = redis.Redis.from_url(environment["REDIS_URL"], decode_responses=True, socket_timeout=2)
    with Family(log) as family, records:
        for process in pattern.processes:
            start_worker(family, process, environment, unique)

        def is_heard_of() -> bool:
            try:
                names: Any = records.zrange(heartbeats, 0, -1)
            except redis.RedisError:
                return False
            return any(name.startswith(f"{unique}@") for name in names)

        wait_until_up(is_heard_of, family, lambda: "No heartbeat from the worker. Can it reach its broker?")
        try:
            yield Part(pattern, Role.WORKER, family)
        finally:
            family.stop(patience_of(settings))


def _shared(pattern: Pattern, role: Role, env: Mapping[str, str] | None) -> dict[str, str]:
    """The environment of a part that shares a Redis, and perhaps another broker, with the others."""
    if not pattern.processes:
        raise CannotServe(
            f"{pattern.name} runs its tasks in the web process, so it has no separate parts. "
            "Leave out --role, or serve celery_queue."
        )
    environment = {**os.environ, **(env or {})}
    if not environment.get("REDIS_URL"):
        raise CannotServe(
            f"--role {role} requires REDIS_URL: web processes and workers share one Redis. "
            "Start a Redis that every host can reach, and set REDIS_URL=redis://HOST:6379/0 for each part."
        )
    check_redis(environment["REDIS_URL"])
    if environment.get("KIT_BROKER_URL"):
        check_broker(environment["KIT_BROKER_URL"])
    return environment
