"""Exercise 3: an in-memory queue. Read README.md first; run `kit check 3` as often as you like.

When ten users submit at once, ten agents run at once; when a hundred do, a hundred run. A queue sets two limits: how
many tasks run, and how many wait. A submit beyond both limits is refused at once.
"""

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from uuid import uuid4

from fastapi import FastAPI, HTTPException
from pydantic import BaseModel

from patterns.practice import run_agent_async  # await run_agent_async(prompt) -> str: takes seconds, may raise

WORKERS = int(os.environ.get("WORKERS", "3"))  # how many agents work at once
QUEUE_SIZE = int(os.environ.get("QUEUE_SIZE", "100"))  # how many tasks may wait

# Every task by its id: {"task_id": …, "prompt": …, "status": "pending", "result": None, "error": None}
tasks: dict[str, dict[str, Any]] = {}

# The waiting tasks, oldest first. TODO 1: the queue has no maximum size yet.
queue: asyncio.Queue[dict[str, Any]] = asyncio.Queue()


class SubmitRequest(BaseModel):
    prompt: str


async def worker() -> None:
    """Work on one task after another, and survive whatever happens to a task."""
    # TODO 2: in an endless loop: wait for a task, mark it as "running", await the agent, store its answer as the
    #         "result", mark the task as "completed". If the agent raises, mark the task as "failed", and store the
    #         exception's message as the "error", a string.
    raise NotImplementedError("TODO 2, in worker")


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    """The code before `yield` runs when the app starts, the code after it when the app stops."""
    # TODO 3: start as many workers as WORKERS says, with asyncio.create_task, and keep them in a list. Cancel each
    #         of them after the `yield`.
    yield


app = FastAPI(lifespan=lifespan)


@app.post("/agent/submit", status_code=202)
async def submit(body: SubmitRequest) -> dict[str, Any]:
    # TODO 1: create a "pending" task, put it into the queue without waiting, store it in `tasks`, and return it.
    #         If the queue is full, raise HTTPException(503, …) with a Retry-After header, and do not store the task.
    raise HTTPException(501, "TODO 1, in submit")


@app.get("/agent/status/{task_id}")
async def status(task_id: str) -> dict[str, Any]:
    if task_id not in tasks:
        raise HTTPException(404, f"There is no task {task_id}.")
    return tasks[task_id]


@app.get("/health")
async def health() -> dict[str, Any]:
    """Report how many records are stored. A refused task must not be among them."""
    return {"status": "ok", "tasks": len(tasks)}
