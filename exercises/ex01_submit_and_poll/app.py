"""Exercise 1: submit and poll. Read README.md first; run `kit check 1` as often as you like.

The agent takes seconds. The request must not: return an id at once, let the agent work after the response is sent,
and report the status whenever the client polls.
"""

from typing import Any
from uuid import uuid4  # uuid4().hex makes a good id

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
    # TODO 3: mark the task as "running", call the agent, and store its answer as the "result".
    #         Mark the task as "completed" last: from then on, a client reads the result.
    raise NotImplementedError("TODO 3")


@app.post("/agent/submit", status_code=202)
async def submit(body: SubmitRequest, background_tasks: BackgroundTasks) -> dict[str, Any]:
    # TODO 1: create an id, store a "pending" task under it, hand the work over with
    #         background_tasks.add_task(work, …), and return the task.
    raise HTTPException(501, "TODO 1, in submit")


@app.get("/agent/status/{task_id}")
async def status(task_id: str) -> dict[str, Any]:
    # TODO 2: return the task, or raise HTTPException(404, …) for an unknown id.
    raise HTTPException(501, "TODO 2, in status")
