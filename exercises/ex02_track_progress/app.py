"""Exercise 2: track progress. Read README.md first; run `kit check 2` as often as you like.

A client that waits for minutes wants to draw a progress bar. The agent reports its progress at any time; store each
report where the status route reads it, as a number that a bar can show.
"""

from typing import Any
from uuid import uuid4

from fastapi import BackgroundTasks, FastAPI, HTTPException
from pydantic import BaseModel

# run_agent(prompt, report_progress) -> str: calls report_progress(percent) as it works. `percent` is a float: 33.3,
# or less than before if the agent retries a step, or more than 100 if it takes extra steps.
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
        """The agent calls this while it works. An exception raised here ends the agent."""
        # TODO 2: store it as the task's "progress": a whole number from 0 to 100 that never goes back.
        raise NotImplementedError("TODO 2, in report_progress")

    task["status"] = "running"
    # TODO 3: also pass `report_progress` to the agent. When the agent is done, set the progress to 100, whatever it
    #         reported. Set "completed" last.
    task["result"] = run_agent(prompt)
    task["status"] = "completed"


@app.post("/agent/submit", status_code=202)
async def submit(body: SubmitRequest, background_tasks: BackgroundTasks) -> dict[str, Any]:
    task_id = uuid4().hex
    # TODO 1: a client may draw the bar before the agent starts. Give the record a "progress" from the start, and
    #         delete the next line.
    raise HTTPException(501, "TODO 1, in submit")
    tasks[task_id] = {"task_id": task_id, "status": "pending", "result": None}
    background_tasks.add_task(work, task_id, body.prompt)
    return tasks[task_id]


@app.get("/agent/status/{task_id}")
async def status(task_id: str) -> dict[str, Any]:
    if task_id not in tasks:
        raise HTTPException(404, f"There is no task {task_id}.")
    return tasks[task_id]
