"""Exercise 7: call back. Read README.md first; run `kit check 7` as often as you like.

The queue and its workers are those of exercise 3. Now the client need not poll: it sends a callback URL, and when its
task is completed or failed, the server calls that URL. The callback is signed, and retried until it is acknowledged.
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
ATTEMPTS = int(os.environ.get("ATTEMPTS", "5"))  # the most for one delivery
FIRST_PAUSE_SECONDS = float(os.environ.get("FIRST_PAUSE_SECONDS", "1"))  # after the first attempt; doubles each time
ATTEMPT_TIMEOUT_SECONDS = float(os.environ.get("ATTEMPT_TIMEOUT_SECONDS", "10"))  # to wait for the receiver's response

logger = logging.getLogger(__name__)
webhook = Webhook(SECRET)

# Every task by its id: {"task_id": …, "prompt": …, "callback_url": …, "status": "pending", "result": …, "error": …}
tasks: dict[str, dict[str, Any]] = {}
queue: asyncio.Queue[dict[str, Any]] = asyncio.Queue(maxsize=100)

# The running deliveries: the event loop itself keeps only weak references to tasks.
deliveries: set[asyncio.Task[None]] = set()


class SubmitRequest(BaseModel):
    prompt: str
    callback_url: HttpUrl


async def run(task: dict[str, Any]) -> None:
    """Let the agent work on one task, store the outcome, and start its delivery."""
    task["status"] = "running"
    try:
        task["result"] = await run_agent_async(task["prompt"])
        task["status"] = "completed"
    except Exception as error:
        task.update(status="failed", error=str(error))
    # TODO 1: start to `deliver` the task, and do not wait for it: its receiver may be slow, and the worker has more
    #         to do. Use asyncio.create_task, and keep what it returns in `deliveries` until it is done.
    raise NotImplementedError("TODO 1, in run")


async def deliver(task: dict[str, Any]) -> None:
    """Deliver the outcome: retry until the receiver acknowledges it or ATTEMPTS are used up."""
    # TODO 2: serialize the task as JSON once: every attempt sends these bytes. Make an `attempt`, and stop if it
    #         returns True. Between two attempts, sleep: FIRST_PAUSE_SECONDS at first, then twice as long each time.
    raise NotImplementedError("TODO 2, in deliver")


async def attempt(url: str, delivery_id: str, body: bytes) -> bool:
    """POST the signed body once. Return True if the receiver acknowledged it, otherwise False; never raise."""
    # TODO 3: sign the body with webhook.sign(delivery_id, the current time, the body as text), and POST it with the
    #         headers webhook-id, webhook-timestamp (whole seconds), webhook-signature and content-type. Only a 2xx
    #         acknowledges it. Return False for any other response, a broken connection, or a timeout.
    raise NotImplementedError("TODO 3, in attempt")


async def worker() -> None:
    """Work on one task after another, and survive whatever happens to a task."""
    while True:
        task = await queue.get()
        try:
            await run(task)
        except Exception:
            logger.exception("The worker goes on after this.")


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    """Start the workers with the app, and cancel them when it stops."""
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
