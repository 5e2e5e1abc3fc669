"""Exercise 2: track progress. Read README.md first; run `kit check 2` as often as you like.

A client that waits for minutes wants to draw a bar. The agent says how far it is whenever it likes; write that
down where the status route reads it, in a form that a bar can be drawn from.
"""

from typing import Any
from uuid import uuid4

from fastapi import BackgroundTasks, FastAPI, HTTPException
from pydantic import BaseModel

# run_agent(prompt, report_progress) -> str: calls report_progress(percent) whenever it gets on. `percent` is a
# float: 33.3, or less than before when the agent tries a step again, or more than 100 when it took more steps.
from patterns.practice import run_agent

app = FastAPI()

# Every task by its id: {"task_id": …, "status": "pending", "progress": 0, "result": None}
tasks: dict[str, dict[str, Any]] = {}


class SubmitRequest(BaseModel):
    prompt: str


def work(task_id: str, prompt: str) -> None:
    """Runs after the response, in a thread of FastAPI's pool, because it is a plain `def`."""
    task = tasks[task_id]

    def report_progress(percent: float) -> None:
        """The agent calls this in the middle of its work. An exception in here would end the agent."""
        # TODO 2: keep it as the task's "progress": a whole number from 0 to 100 that never goes back.
        raise NotImplementedError("TODO 2, in report_progress")

    task["status"] = "running"
    # TODO 3: give the agent `report_progress` too. Once the agent is done, the progress is 100, whatever it has
    #         reported; "completed" comes last of all.
    task["result"] = run_agent(prompt)
    task["status"] = "completed"


@app.post("/agent/submit", status_code=202)
async def submit(body: SubmitRequest, background_tasks: BackgroundTasks) -> dict[str, Any]:
    task_id = uuid4().hex
    # TODO 1: a client may draw the bar before the agent has begun. Give the record a "progress" from the start,
    #         and take the next line away.
    raise HTTPException(501, "TODO 1, in submit")
    tasks[task_id] = {"task_id": task_id, "status": "pending", "result": None}
    background_tasks.add_task(work, task_id, body.prompt)
    return tasks[task_id]


@app.get("/agent/status/{task_id}")
async def status(task_id: str) -> dict[str, Any]:
    if task_id not in tasks:
        raise HTTPException(404, f"There is no task {task_id}.")
    return tasks[task_id]
