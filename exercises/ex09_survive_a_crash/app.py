"""Exercise 9, the web app. Read README.md first; run `kit check 9` as often as you like.

As in exercise 4, this process keeps nothing about a task. This time, you write the record in Redis yourself, and the
message to the worker contains only the task's id.
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
    # TODO 1: create a pending task with all that a worker needs:
    #         {"task_id": …, "prompt": …, "callback_url": …, "status": "pending", "result": None, "error": None}.
    #         Save it before you send its id with work.delay(…): a worker may take the message at once.
    raise HTTPException(501, "TODO 1, in submit")


@app.get("/agent/status/{task_id}")
def status(task_id: str) -> dict[str, Any]:
    try:
        task: dict[str, Any] = load(task_id)
    except KeyError:
        raise HTTPException(404, f"There is no task {task_id}.") from None
    return task
