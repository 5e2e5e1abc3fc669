"""Solution 6: a polling client."""

import asyncio
import os
import random
from contextlib import suppress
from typing import Any

import httpx

FIRST_PAUSE = float(os.environ.get("FIRST_PAUSE_SECONDS", "0.5"))
LONGEST_PAUSE = float(os.environ.get("LONGEST_PAUSE_SECONDS", "10"))


class TaskFailed(Exception):
    """The task failed or was cancelled. The message says why."""

    def __init__(self, task: dict[str, Any]) -> None:
        error = task.get("error") or {}
        super().__init__(f"{task['status']}: {error.get('message', 'no reason was given')}")


def pause(attempt: int, answer: httpx.Response | None) -> float:
    """Seconds to wait before the next request. `attempt` counts from 0; `answer` is the last response, if any."""
    if answer is not None and "Retry-After" in answer.headers:
        return float(answer.headers["Retry-After"])
    # From 0, not from half the limit: clients that start together spread over the whole time ("full jitter").
    # Doubled 20 times at most: after a thousand attempts, the number would be too large for a float.
    return random.uniform(0, min(LONGEST_PAUSE, FIRST_PAUSE * 2 ** min(attempt, 20)))


async def ask(client: httpx.AsyncClient, method: str, path: str, body: object = None) -> httpx.Response:
    """Send a request, and retry until the server accepts it. Raises `httpx.HTTPStatusError` at once for a 4xx."""
    attempt = 0
    while True:
        answer = None
        with suppress(httpx.TransportError):  # the server is down for a moment
            answer = await client.request(method, path, json=body)
        if answer is not None and answer.status_code != 503:
            return answer.raise_for_status()
        await asyncio.sleep(pause(attempt, answer))
        attempt += 1


async def submit_and_wait(base_url: str, prompt: str, deadline: float) -> str:
    """Submit a prompt, and return its result.

    Raises `TaskFailed`; `TimeoutError` when `deadline` seconds have passed; `httpx.HTTPStatusError` for a 4xx.
    """
    # One deadline for everything: a timeout for each request would start again with every poll.
    async with asyncio.timeout(deadline), httpx.AsyncClient(base_url=base_url, timeout=deadline) as client:
        answer = await ask(client, "POST", "/agent/submit", {"prompt": prompt})
        path = f"/agent/status/{answer.json()['task_id']}"
        attempt = 0
        while True:
            await asyncio.sleep(pause(attempt, answer))
            attempt += 1
            answer = await ask(client, "GET", path)
            task = answer.json()
            if task["status"] == "completed":
                return str(task["result"])
            if task["status"] in {"failed", "cancelled"}:
                raise TaskFailed(task)
