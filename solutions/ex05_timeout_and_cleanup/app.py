"""Solution 5: timeout and clean-up."""

import asyncio
import logging
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from uuid import uuid4

from fastapi import FastAPI, HTTPException
from pydantic import BaseModel

from patterns.practice import run_agent_async

WORKERS = int(os.environ.get("WORKERS", "2"))
TASK_TIMEOUT_SECONDS = float(os.environ.get("TASK_TIMEOUT_SECONDS", "300"))
TASK_TTL_SECONDS = float(os.environ.get("TASK_TTL_SECONDS", "86400"))

logger = logging.getLogger(__name__)

tasks: dict[str, dict[str, Any]] = {}
queue: asyncio.Queue[dict[str, Any]] = asyncio.Queue(maxsize=100)


class SubmitRequest(BaseModel):
    prompt: str


async def run(task: dict[str, Any]) -> None:
    """Let the agent work on one task, and store the outcome."""
    task["status"] = "running"
    limit = asyncio.timeout(TASK_TIMEOUT_SECONDS)
    try:
        async with limit:
            task["result"] = await run_agent_async(task["prompt"])
        task["status"] = "completed"
    except Exception as error:
        # The agent may raise a TimeoutError itself: only `limit` knows which one this is.
        if limit.expired():
            message = f"The agent was ended after {TASK_TIMEOUT_SECONDS:g} seconds."
            task.update(status="failed", error={"code": "timeout", "message": message})
        else:
            task.update(status="failed", error={"code": "agent_error", "message": str(error)})


def forget_later(task: dict[str, Any]) -> None:
    """Schedule the removal of a finished task. Must return at once: the worker calls it."""
    asyncio.get_running_loop().call_later(TASK_TTL_SECONDS, tasks.pop, task["task_id"], None)


async def worker() -> None:
    """Work on one task after another, and survive whatever happens to a task."""
    while True:
        task = await queue.get()
        try:
            await run(task)
            forget_later(task)
        except Exception as error:
            logger.exception("The worker goes on after this.")
            if task["status"] == "running":
                task.update(status="failed", error={"code": "server_error", "message": repr(error)})


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


@app.get("/health")
async def health() -> dict[str, Any]:
    """Report how many records are stored. This number must not grow for ever."""
    return {"status": "ok", "tasks": len(tasks)}
