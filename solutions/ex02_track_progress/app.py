"""Solution 2: track progress."""

from typing import Any
from uuid import uuid4

from fastapi import BackgroundTasks, FastAPI, HTTPException
from pydantic import BaseModel

from patterns.practice import run_agent

app = FastAPI()

tasks: dict[str, dict[str, Any]] = {}


class SubmitRequest(BaseModel):
    prompt: str


def work(task_id: str, prompt: str) -> None:
    task = tasks[task_id]

    def report_progress(percent: float) -> None:
        # An agent that retries a step reports less than before; the progress must not go back.
        task["progress"] = max(task["progress"], min(round(percent), 100))

    task["status"] = "running"
    task["result"] = run_agent(prompt, report_progress)
    task["progress"] = 100  # the agent may not have reported it
    task["status"] = "completed"


@app.post("/agent/submit", status_code=202)
async def submit(body: SubmitRequest, background_tasks: BackgroundTasks) -> dict[str, Any]:
    task_id = uuid4().hex
    tasks[task_id] = {"task_id": task_id, "status": "pending", "progress": 0, "result": None}
    background_tasks.add_task(work, task_id, body.prompt)
    return tasks[task_id]


@app.get("/agent/status/{task_id}")
async def status(task_id: str) -> dict[str, Any]:
    if task_id not in tasks:
        raise HTTPException(404, f"There is no task {task_id}.")
    return tasks[task_id]
