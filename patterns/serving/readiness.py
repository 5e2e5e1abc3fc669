"""Waits until the parts of a pattern are ready: `/health` returns 200 or any response, or workers send heartbeats."""

import re
from collections.abc import Collection
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx

from patterns.redis_store.keys import Keys
from patterns.serving.processes import Family
from patterns.serving.sockets import connectable
from patterns.serving.supervising import wait_until_up


def wait_until_healthy(url: str, family: Family) -> None:
    """Return once `/health` returns 200. Raises `ProcessFailed`, as `wait_until_up`."""
    detail = "nothing"

    def is_healthy() -> bool:
        nonlocal detail
        try:
            response = _get(f"{url}/health", timeout=2)
            if response.status_code == 200:
                return True
            detail = str(response.json().get("detail", response.text))
        except (httpx.TransportError, ValueError) as error:
            detail = type(error).__name__
        return False

    wait_until_up(
        is_healthy,
        family.children,
        "/health did not return 200",
        lambda: f"It said: {detail.rstrip('.')}. {_where_to_look(family.log)}",
        log=family.log,
    )


def wait_until_answering(url: str, family: Family) -> httpx.Response:
    """The first response of `/health`, with any status. Raises `ProcessFailed`, as `wait_until_up`."""
    responses: list[httpx.Response] = []

    def is_answering() -> bool:
        with suppress(httpx.TransportError):
            responses.append(_get(f"{url}/health", timeout=5))
        return bool(responses)

    wait_until_up(
        is_answering,
        family.children,
        "The web server did not respond",
        lambda: _where_to_look(family.log),
        log=family.log,
    )
    return responses[0]


def wait_until_heartbeat(names: Collection[str], redis_url: str, key_prefix: str, family: Family) -> None:
    """Return once each of these workers has its heartbeat in Redis. Raises `ProcessFailed`, as `wait_until_up`."""
    import redis  # noqa: PLC0415 it takes a quarter of a second, and only a worker part needs it

    with redis.Redis.from_url(redis_url, decode_responses=True, socket_timeout=2) as records:

        def have_heartbeats() -> bool:
            try:
                workers: Any = records.zrange(Keys(key_prefix).workers, 0, -1)
            except redis.RedisError:
                return False
            return set(names) <= {worker.partition("@")[0] for worker in workers}

        wait_until_up(
            have_heartbeats,
            family.children,
            "The worker sent no heartbeat",
            lambda: f"Can it reach its broker? {_where_to_look(family.log)}",
            log=family.log,
        )


def has_tasks(url: str, pending_too: bool) -> bool:
    """Whether tasks are running or, with `pending_too`, waiting. From `/metrics`; True if it cannot be reached."""
    try:
        text = _get(f"{connectable(url)}/metrics", timeout=1).text
    except httpx.TransportError:
        return True
    counts = dict(re.findall(r'^longjobs_tasks\{state="(\w+)"\} ([\d.]+)$', text, re.MULTILINE))
    states = ["running", "pending"] if pending_too else ["running"]
    return any(float(counts.get(state, 1)) for state in states)


def _get(url: str, timeout: float) -> httpx.Response:
    return httpx.get(url, timeout=timeout, trust_env=False)


def _where_to_look(log: Path | None) -> str:
    return f"Its log is {log}" if log else "Its output is above."
