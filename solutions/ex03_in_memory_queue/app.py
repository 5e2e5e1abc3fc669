"""Solution 3: an in-memory queue."""

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from uuid import uuid4

from fastapi import FastAPI, HTTPException
from pydantic import BaseModel

from patterns.practice import run_agent_async

WORKERS = int(os.environ.get("WORKERS", "3"))
QUEUE_SIZE = int(os.environ.get("QUEUE_SIZE", "100"))

tasks: dict[str, dict[str, Any]] = {}
queue: asyncio.Queue[dict[str, Any]] = asyncio.Queue(maxsize=QUEUE_SIZE)


class SubmitRequest(BaseModel):
    prompt: str


async def worker() -> None:
    """Work on one task after another, and survive whatever happens to a task."""
    while True:
        task = await queue.get()
        task["status"] = "running"
        try:
            task["result"] = await run_agent_async(task["prompt"])
            task["status"] = "completed"
        except Exception as error:
            task.update(status="failed", error=str(error))


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    """The code before `yield` runs when the app starts, the code after it when the app stops."""
    # Kept in a list: the event loop itself keeps only weak references to tasks.
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
        raise HTTPException(503, "The queue is full. Try again later.", {"Retry-After": "5"}) from None
    tasks[task["task_id"]] = task  # no worker runs until this handler awaits or returns
    return task


@app.get("/agent/status/{task_id}")
async def status(task_id: str) -> dict[str, Any]:
    if task_id not in tasks:
        raise HTTPException(404, f"There is no task {task_id}.")
    return tasks[task_id]


@app.get("/health")
async def health() -> dict[str, Any]:
    """Report how many records are stored. A refused task must not be among them."""
    return {"status": "ok", "tasks": len(tasks)}
