"""Exercise 7: call back. Read README.md first; run `kit check 7` as often as you like.

The queue and its workers are those of exercise 3. Now nobody polls: the client names a URL, and when its task is
finished, well or not, the server calls it there. The call is signed, and made again until it is taken.
"""

import asyncio
import json
import logging
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import httpx
from fastapi import FastAPI, HTTPException
from pydantic import BaseModel, HttpUrl
from standardwebhooks import Webhook

from patterns.practice import run_agent_async  # await run_agent_async(prompt) -> str: takes seconds, may raise

WORKERS = int(os.environ.get("WORKERS", "2"))
SECRET = os.environ.get("WEBHOOK_SECRET", "whsec_dGhpcyBpcyBub3QgYSBzZWNyZXQsIG9ubHkgYW4gZXhhbXBsZQ==")
ATTEMPTS = int(os.environ.get("ATTEMPTS", "5"))  # so many in all, for one task
FIRST_PAUSE_SECONDS = float(os.environ.get("FIRST_PAUSE_SECONDS", "1"))  # after the first attempt; then it doubles
ATTEMPT_TIMEOUT_SECONDS = float(os.environ.get("ATTEMPT_TIMEOUT_SECONDS", "10"))  # for a receiver's answer

logger = logging.getLogger(__name__)
webhook = Webhook(SECRET)

# Every task by its id: {"task_id": …, "prompt": …, "callback_url": …, "status": "pending", "result": …, "error": …}
tasks: dict[str, dict[str, Any]] = {}
queue: asyncio.Queue[dict[str, Any]] = asyncio.Queue(maxsize=100)

# The deliveries under way: the event loop itself holds tasks by weak references only.
deliveries: set[asyncio.Task[None]] = set()


class SubmitRequest(BaseModel):
    prompt: str
    callback_url: HttpUrl


async def run(task: dict[str, Any]) -> None:
    """Let the agent work on one task, write down what became of it, and begin to tell it."""
    task["status"] = "running"
    try:
        task["result"] = await run_agent_async(task["prompt"])
        task["status"] = "completed"
    except Exception as error:
        task.update(status="failed", error=str(error))
    # TODO 1: begin to `deliver` the task, and do not wait for it: its receiver may be slow, and the worker has more
    #         to do. asyncio.create_task begins; keep what it returns in `deliveries` until it is done.
    raise NotImplementedError("TODO 1, in run")


async def deliver(task: dict[str, Any]) -> None:
    """Tell the outcome: one attempt after the other, until the receiver has taken it or ATTEMPTS are used up."""
    # TODO 2: write the task as JSON, once: every attempt sends these bytes. Make an `attempt`, and stop when it is
    #         True. Between two attempts sleep: FIRST_PAUSE_SECONDS the first time, then twice as long each time.
    raise NotImplementedError("TODO 2, in deliver")


async def attempt(url: str, delivery_id: str, body: bytes) -> bool:
    """POST the body once, signed. True when the receiver has taken it; False, and no exception, when it has not."""
    # TODO 3: sign the body with webhook.sign(delivery_id, the time now, the body as text), and POST it with the
    #         headers webhook-id, webhook-timestamp (whole seconds), webhook-signature and content-type. Only a 2xx
    #         says that it was taken; every other answer, a broken connection and a timeout say that it was not.
    raise NotImplementedError("TODO 3, in attempt")


async def worker() -> None:
    """Takes one task after the other. Nothing that happens to a task ends it."""
    while True:
        task = await queue.get()
        try:
            await run(task)
        except Exception:
            logger.exception("The worker goes on after this.")


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    """The workers live as long as the app."""
    workers = [asyncio.create_task(worker()) for _ in range(WORKERS)]
    yield
    for one in workers:
        one.cancel()


app = FastAPI(lifespan=lifespan)


@app.post("/agent/submit", status_code=202)
async def submit(body: SubmitRequest) -> dict[str, Any]:
    task: dict[str, Any] = {
        "task_id": uuid4().hex,
        "prompt": body.prompt,
        "callback_url": str(body.callback_url),
        "status": "pending",
        "result": None,
        "error": None,
    }
    try:
        queue.put_nowait(task)
    except asyncio.QueueFull:
        raise HTTPException(503, "The queue is full.", {"Retry-After": "1"}) from None
    tasks[task["task_id"]] = task
    return task


@app.get("/agent/status/{task_id}")
async def status(task_id: str) -> dict[str, Any]:
    if task_id not in tasks:
        raise HTTPException(404, f"There is no task {task_id}.")
    return tasks[task_id]
