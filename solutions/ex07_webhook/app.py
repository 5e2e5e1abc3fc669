"""Solution 7: call back."""

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

from patterns.practice import run_agent_async

WORKERS = int(os.environ.get("WORKERS", "2"))
SECRET = os.environ.get("WEBHOOK_SECRET", "whsec_dGhpcyBpcyBub3QgYSBzZWNyZXQsIG9ubHkgYW4gZXhhbXBsZQ==")
ATTEMPTS = int(os.environ.get("ATTEMPTS", "5"))
FIRST_PAUSE_SECONDS = float(os.environ.get("FIRST_PAUSE_SECONDS", "1"))
ATTEMPT_TIMEOUT_SECONDS = float(os.environ.get("ATTEMPT_TIMEOUT_SECONDS", "10"))

logger = logging.getLogger(__name__)
webhook = Webhook(SECRET)

tasks: dict[str, dict[str, Any]] = {}
queue: asyncio.Queue[dict[str, Any]] = asyncio.Queue(maxsize=100)
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
    # After the `try`, so that a failure is delivered too. Not awaited: the worker has more to do.
    delivery = asyncio.create_task(deliver(task))
    deliveries.add(delivery)
    delivery.add_done_callback(deliveries.discard)


async def deliver(task: dict[str, Any]) -> None:
    """Deliver the outcome: retry until the receiver acknowledges it or ATTEMPTS are used up."""
    body = json.dumps(task).encode()
    for number in range(ATTEMPTS):
        if number > 0:
            await asyncio.sleep(FIRST_PAUSE_SECONDS * 2 ** (number - 1))
        if await attempt(task["callback_url"], f"msg_{task['task_id']}", body):
            return
    logger.warning("The outcome of task %s could not be told.", task["task_id"])


async def attempt(url: str, delivery_id: str, body: bytes) -> bool:
    """POST the signed body once. Return True if the receiver acknowledged it, otherwise False; never raise."""
    now = datetime.now(UTC)
    headers = {
        "content-type": "application/json",
        "webhook-id": delivery_id,
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": webhook.sign(delivery_id, now, body.decode()),
    }
    try:
        # The client's timeout limits each wait, `asyncio.timeout` all: a receiver may respond one byte at a time.
        async with (
            httpx.AsyncClient(timeout=ATTEMPT_TIMEOUT_SECONDS) as client,
            asyncio.timeout(ATTEMPT_TIMEOUT_SECONDS),
        ):
            answer = await client.post(url, content=body, headers=headers)
    except (httpx.HTTPError, TimeoutError):  # refused, cut, or too slow
        return False
    return answer.is_success


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
