"""Exercise 4, the web app. Read README.md first; run `kit check 4` as often as you like.

Keep nothing about a task in this process: every deployment restarts it, and in production there are several. Celery
stores each task's state in Redis; you store there which ids exist.

The handlers are plain `def`: their calls wait for Redis, and must not block the event loop.
"""

from typing import Any

from celery.result import AsyncResult
from fastapi import FastAPI, HTTPException
from pydantic import BaseModel
from redis import Redis

from worker import REDIS_URL, celery, work

app = FastAPI()
redis = Redis.from_url(REDIS_URL, decode_responses=True)

# TODO 4: map Celery's states to the words of the API: pending, running, completed, failed.
WORDS: dict[str, str] = {}


class SubmitRequest(BaseModel):
    prompt: str


@app.post("/agent/submit", status_code=202)
def submit(body: SubmitRequest) -> dict[str, Any]:
    # TODO 3: send the prompt to a worker with work.delay(…), which returns an object with the task's `id`. Note this
    #         id in Redis, and return {"task_id": …, "status": "pending", "result": None, "error": None}.
    raise HTTPException(501, "TODO 3, in submit")


@app.get("/agent/status/{task_id}")
def status(task_id: str) -> dict[str, Any]:
    # TODO 4: raise a 404 for an unknown id. Otherwise, AsyncResult(task_id, app=celery) has the `state`, and the
    #         `result`: what work returned, or the exception that it raised. Return the same four fields as submit:
    #         set "result" only if completed, and "error", a string, only if failed.
    raise HTTPException(501, "TODO 4, in status")
