"""Exercise 9, the web's side. Read README.md first; run `kit check 9` as often as you like.

As in exercise 4 nothing of a task is kept here. This time the record in Redis is our own: the message to the worker
holds the task's id, and nothing else.
"""

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
    # TODO 1: make a pending task with all that a worker needs:
    #         {"task_id": …, "prompt": …, "callback_url": …, "status": "pending", "result": None, "error": None}.
    #         Save it before you hand its id over with work.delay(…): a worker may take it in the same moment.
    raise HTTPException(501, "TODO 1, in submit")


@app.get("/agent/status/{task_id}")
def status(task_id: str) -> dict[str, Any]:
    try:
        task: dict[str, Any] = load(task_id)
    except KeyError:
        raise HTTPException(404, f"There is no task {task_id}.") from None
    return task
