"""Exercise 1: submit and poll. Read README.md first; run `kit check 1` as often as you like.

The agent takes seconds. The request must not: give the client an id at once, let the agent work after the
response has left, and tell the client how it stands whenever it asks.
"""

from typing import Any
from uuid import uuid4  # uuid4().hex is a fine id

from fastapi import BackgroundTasks, FastAPI, HTTPException
from pydantic import BaseModel

from patterns.practice import run_agent  # run_agent(prompt) -> str: blocks its thread for seconds

app = FastAPI()

# Every task by its id: {"task_id": …, "status": "pending", "result": None}
tasks: dict[str, dict[str, Any]] = {}


class SubmitRequest(BaseModel):
    prompt: str


def work(task_id: str, prompt: str) -> None:
    """Runs after the response, in a thread of FastAPI's pool, because it is a plain `def`."""
    # TODO 3: mark the task as "running", let the agent work, and keep its answer as the "result".
    #         Mark it as "completed" last of all: from then on a client reads the result.
    raise NotImplementedError("TODO 3")


@app.post("/agent/submit", status_code=202)
async def submit(body: SubmitRequest, background_tasks: BackgroundTasks) -> dict[str, Any]:
    # TODO 1: make an id, write down a "pending" task under it, hand the work over with
    #         background_tasks.add_task(work, …), and return the task.
    raise HTTPException(501, "TODO 1, in submit")


@app.get("/agent/status/{task_id}")
async def status(task_id: str) -> dict[str, Any]:
    # TODO 2: return the task, or raise HTTPException(404, …) for an id that was never given out.
    raise HTTPException(501, "TODO 2, in status")
