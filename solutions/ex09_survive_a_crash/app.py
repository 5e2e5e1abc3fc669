"""Solution 9, the web app."""

from typing import Any
from uuid import uuid4

from fastapi import FastAPI, HTTPException
from pydantic import BaseModel

from worker import load, save, work

app = FastAPI()


class SubmitRequest(BaseModel):
    prompt: str
    callback_url: str


@app.post("/agent/submit", status_code=202)
def submit(body: SubmitRequest) -> dict[str, Any]:
    task = {"task_id": uuid4().hex, **body.model_dump(), "status": "pending", "result": None, "error": None}
    save(task)
    work.delay(task["task_id"])
    return task


@app.get("/agent/status/{task_id}")
def status(task_id: str) -> dict[str, Any]:
    try:
        task: dict[str, Any] = load(task_id)
    except KeyError:
        raise HTTPException(404, f"There is no task {task_id}.") from None
    return task
