"""Exercise 4, the web's side. Read README.md first; run `kit check 4` as often as you like.

Nothing of a task may be kept in this process: it is restarted at every deployment, and in production there are
several of it. What a task's state is, Celery keeps in Redis; which ids were given out, you do.

The handlers are plain `def`: what they call waits for Redis, and must not keep the event loop waiting.
"""

from typing import Any

from celery.result import AsyncResult
from fastapi import FastAPI, HTTPException
from pydantic import BaseModel
from redis import Redis

from worker import REDIS_URL, celery, work

app = FastAPI()
redis = Redis.from_url(REDIS_URL, decode_responses=True)

# TODO 4: Celery's states on the left, the words of our API on the right: pending, running, completed, failed.
WORDS: dict[str, str] = {}


class SubmitRequest(BaseModel):
    prompt: str


@app.post("/agent/submit", status_code=202)
def submit(body: SubmitRequest) -> dict[str, Any]:
    # TODO 3: hand the prompt over with work.delay(…); what that returns has the task's `id`. Write down in Redis
    #         that this id was given out, and return {"task_id": …, "status": "pending", "result": None, "error": None}.
    raise HTTPException(501, "TODO 3, in submit")


@app.get("/agent/status/{task_id}")
def status(task_id: str) -> dict[str, Any]:
    # TODO 4: 404 for an id that was never given out. For the others ask AsyncResult(task_id, app=celery): its `state`,
    #         and its `result`, which is what work returned, or the exception that it raised. Give back the same four
    #         fields: "result" only when completed, and "error", a text, only when failed.
    raise HTTPException(501, "TODO 4, in status")
