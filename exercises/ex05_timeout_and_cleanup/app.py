"""Exercise 5: timeout and clean-up. Read README.md first; run `kit check 5` as often as you like.

The queue and its workers are those of exercise 3. Two things can still go wrong: an agent that hangs blocks its
worker for ever, and a record that is no longer needed stays in memory for ever.
"""

import asyncio
import logging
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from uuid import uuid4

from fastapi import FastAPI, HTTPException
from pydantic import BaseModel

from patterns.practice import run_agent_async  # await run_agent_async(prompt) -> str: takes seconds, may hang

WORKERS = int(os.environ.get("WORKERS", "2"))
TASK_TIMEOUT_SECONDS = float(os.environ.get("TASK_TIMEOUT_SECONDS", "300"))  # for the agent, since it started
TASK_TTL_SECONDS = float(os.environ.get("TASK_TTL_SECONDS", "86400"))  # for the record, since the task finished

logger = logging.getLogger(__name__)

# Every task by its id: {"task_id": …, "prompt": …, "status": "pending", "result": None, "error": None}
tasks: dict[str, dict[str, Any]] = {}
queue: asyncio.Queue[dict[str, Any]] = asyncio.Queue(maxsize=100)


class SubmitRequest(BaseModel):
    prompt: str


async def run(task: dict[str, Any]) -> None:
    """Let the agent work on one task, and store the outcome."""
    task["status"] = "running"
    # TODO 1: give the agent TASK_TIMEOUT_SECONDS and no more. When the time is up, it must stop, and the task is
    #         "failed" with the code "timeout" and a message. Delete the next line, and change the code below it.
    raise NotImplementedError("TODO 1, in run")
    try:
        task["result"] = await run_agent_async(task["prompt"])
        task["status"] = "completed"
    except Exception as error:
        task.update(status="failed", error={"code": "agent_error", "message": str(error)})


def forget_later(task: dict[str, Any]) -> None:
    """Schedule the removal of a finished task. Must return at once: the worker calls it."""
    # TODO 2: remove the task from `tasks` once TASK_TTL_SECONDS have passed, even if no client asks for it.
    raise NotImplementedError("TODO 2, in forget_later")


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
