"""Solution 1: submit and poll."""

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
    task["status"] = "running"
    task["result"] = run_agent(prompt)
    task["status"] = "completed"


@app.post("/agent/submit", status_code=202)
async def submit(body: SubmitRequest, background_tasks: BackgroundTasks) -> dict[str, Any]:
    task_id = uuid4().hex
    # Stored before the response is sent: a client that polls at once finds it.
    tasks[task_id] = {"task_id": task_id, "status": "pending", "result": None}
    background_tasks.add_task(work, task_id, body.prompt)
    return tasks[task_id]


@app.get("/agent/status/{task_id}")
async def status(task_id: str) -> dict[str, Any]:
    if task_id not in tasks:
        raise HTTPException(404, f"There is no task {task_id}.")
    return tasks[task_id]
