"""Exercise 3: an in-memory queue. Read README.md first; run `kit check 3` as often as you like.

Ten users submit at once, and ten agents run at once, and then a hundred. A queue puts two numbers on that: how
many tasks run, and how many wait. Whoever comes when both are used up is told so at once.
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

WORKERS = int(os.environ.get("WORKERS", "3"))  # so many agents work at once
QUEUE_SIZE = int(os.environ.get("QUEUE_SIZE", "100"))  # so many tasks wait for one

# Every task by its id: {"task_id": …, "prompt": …, "status": "pending", "result": None, "error": None}
tasks: dict[str, dict[str, Any]] = {}

# The tasks that wait, oldest first. TODO 1: nothing bounds it yet.
queue: asyncio.Queue[dict[str, Any]] = asyncio.Queue()


class SubmitRequest(BaseModel):
    prompt: str


async def worker() -> None:
    """Takes one task after the other. Nothing that happens to a task ends it."""
    # TODO 2: for ever: wait for a task, mark it as "running", await the agent, keep its answer as the "result",
    #         mark the task as "completed". When the agent raises, the task is "failed", and what the exception
    #         says is its "error", a text.
    raise NotImplementedError("TODO 2, in worker")


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    """What comes before `yield` is done when the app starts, what comes after it when the app stops."""
    # TODO 3: start so many workers as WORKERS says, with asyncio.create_task, and keep them in a list. Cancel each
    #         of them after the `yield`.
    yield


app = FastAPI(lifespan=lifespan)


@app.post("/agent/submit", status_code=202)
async def submit(body: SubmitRequest) -> dict[str, Any]:
    # TODO 1: make a "pending" task, put it into the queue without waiting, write it down in `tasks`, return it.
    #         When the queue is full: HTTPException(503, …) with the header Retry-After, and no trace of the task.
    raise HTTPException(501, "TODO 1, in submit")


@app.get("/agent/status/{task_id}")
async def status(task_id: str) -> dict[str, Any]:
    if task_id not in tasks:
        raise HTTPException(404, f"There is no task {task_id}.")
    return tasks[task_id]


@app.get("/health")
async def health() -> dict[str, Any]:
    """How many records are kept. What was refused must not be among them."""
    return {"status": "ok", "tasks": len(tasks)}
