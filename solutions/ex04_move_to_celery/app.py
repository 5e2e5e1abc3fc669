"""Solution 4, the web app."""

from typing import Any

from celery.result import AsyncResult
from fastapi import FastAPI, HTTPException
from pydantic import BaseModel
from redis import Redis

from worker import REDIS_URL, celery, work

ONE_DAY = 86_400

app = FastAPI()
redis = Redis.from_url(REDIS_URL, decode_responses=True)

WORDS = {"PENDING": "pending", "STARTED": "running", "SUCCESS": "completed", "FAILURE": "failed"}


class SubmitRequest(BaseModel):
    prompt: str


@app.post("/agent/submit", status_code=202)
def submit(body: SubmitRequest) -> dict[str, Any]:
    handed_over = work.delay(body.prompt)
    redis.set(f"given-out:{handed_over.id}", "yes", ex=ONE_DAY)
    return {"task_id": handed_over.id, "status": "pending", "result": None, "error": None}


@app.get("/agent/status/{task_id}")
def status(task_id: str) -> dict[str, Any]:
    if not redis.exists(f"given-out:{task_id}"):
        raise HTTPException(404, f"There is no task {task_id}.")
    found = AsyncResult(task_id, app=celery)
    state, value = found.state, found.result
    return {
        "task_id": task_id,
        "status": WORDS[state],
        "result": value if state == "SUCCESS" else None,
        "error": str(value) if state == "FAILURE" else None,
    }
