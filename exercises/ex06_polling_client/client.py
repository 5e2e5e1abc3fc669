"""Exercise 6: a polling client. Read README.md first; run `kit check 6` as often as you like.

The other side of the API: submit a prompt, wait for its outcome without hammering the server, retry while the server
is down, and give up at the caller's deadline.
"""

import asyncio
import os
import random  # random.uniform(low, high)
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
    # TODO 2: if the response has the header "Retry-After", return its seconds. Otherwise, return a random time between
    #         0 and a limit: FIRST_PAUSE, doubled with each attempt, and never more than LONGEST_PAUSE.
    raise NotImplementedError("TODO 2, in pause")


async def ask(client: httpx.AsyncClient, method: str, path: str, body: object = None) -> httpx.Response:
    """Send a request, and retry until the server accepts it. Raises `httpx.HTTPStatusError` at once for a 4xx."""
    # TODO 1: a broken connection (httpx.TransportError) and a 503 are temporary: wait for `pause(…)`, and retry.
    #         Return any other response, or raise what its raise_for_status() raises.
    raise NotImplementedError("TODO 1, in ask")


async def submit_and_wait(base_url: str, prompt: str, deadline: float) -> str:
    """Submit a prompt, and return its result.

    Raises `TaskFailed`; `TimeoutError` when `deadline` seconds have passed; `httpx.HTTPStatusError` for a 4xx.
    """
    # TODO 4: put one deadline around everything below, whatever it is waiting for at that moment.
    async with httpx.AsyncClient(base_url=base_url, timeout=deadline) as client:  # one request may take all the time
        answer = await ask(client, "POST", "/agent/submit", {"prompt": prompt})
        path = f"/agent/status/{answer.json()['task_id']}"
        attempt = 0
        while True:
            await asyncio.sleep(pause(attempt, answer))
            attempt += 1
            answer = await ask(client, "GET", path)
            # TODO 3: answer.json() is the task. If it is completed, return its "result". If it failed or was cancelled,
            #         raise TaskFailed(task). Otherwise, keep polling.
            raise NotImplementedError("TODO 3, in submit_and_wait")
