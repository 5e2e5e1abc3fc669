"""Exercise 6: a polling client. Read README.md first; run `kit check 6` as often as you like.

The other side of the API: submit a prompt, wait for its outcome without hammering the server, survive a moment in
which it is away, and give up when the caller's time is over.
"""

import asyncio
import os
import random  # random.uniform(low, high)
from typing import Any

import httpx

FIRST_PAUSE = float(os.environ.get("FIRST_PAUSE_SECONDS", "0.5"))
LONGEST_PAUSE = float(os.environ.get("LONGEST_PAUSE_SECONDS", "10"))


class TaskFailed(Exception):
    """The task ended without a result: it failed, or was cancelled. The text says why."""

    def __init__(self, task: dict[str, Any]) -> None:
        error = task.get("error") or {}
        super().__init__(f"{task['status']}: {error.get('message', 'no reason was given')}")


def pause(attempt: int, answer: httpx.Response | None) -> float:
    """Seconds to wait before the next request. `attempt` counts from 0; `answer` is the last one, if there was one."""
    # TODO 2: what the answer's header "Retry-After" says, if it has one. If not, a random time between 0 and
    #         FIRST_PAUSE, twice that, four times, … for each attempt, and never more than LONGEST_PAUSE.
    raise NotImplementedError("TODO 2, in pause")


async def ask(client: httpx.AsyncClient, method: str, path: str, body: object = None) -> httpx.Response:
    """Send a request, again and again until the server takes it. Raises `httpx.HTTPStatusError` for a 4xx, at once."""
    # TODO 1: a broken connection (httpx.TransportError) and a 503 pass: wait for `pause(…)`, and send it again.
    #         Everything else is an answer: return it, or raise what answer.raise_for_status() raises.
    raise NotImplementedError("TODO 1, in ask")


async def submit_and_wait(base_url: str, prompt: str, deadline: float) -> str:
    """Submit a prompt, and give the result.

    Raises `TaskFailed`; `TimeoutError` when `deadline` seconds have passed; `httpx.HTTPStatusError` for a 4xx.
    """
    # TODO 4: one deadline over all that is below, whatever it is waiting for just then.
    async with httpx.AsyncClient(base_url=base_url, timeout=deadline) as client:  # one request may take all of it
        answer = await ask(client, "POST", "/agent/submit", {"prompt": prompt})
        path = f"/agent/status/{answer.json()['task_id']}"
        attempt = 0
        while True:
            await asyncio.sleep(pause(attempt, answer))
            attempt += 1
            answer = await ask(client, "GET", path)
            # TODO 3: answer.json() is the task. Completed: return its "result". Failed or cancelled: raise
            #         TaskFailed(task). Else go on asking.
            raise NotImplementedError("TODO 3, in submit_and_wait")
