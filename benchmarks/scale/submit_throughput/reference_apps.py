"""Two apps to compare the patterns to: one that does nothing, and Celery as its tutorial has it.

They are served exactly as a pattern is: `python -m patterns.web.process MODULE:ceiling`.
"""

import os

from celery import Celery
from fastapi import FastAPI
from fastapi.responses import JSONResponse

from patterns.contract import SubmitRequest


def ceiling() -> FastAPI:
    """Validates a submit and answers 202. No pattern can be faster: all of them do this, and then their work."""
    app = FastAPI()

    @app.post("/agent/submit")
    async def submit(body: SubmitRequest) -> JSONResponse:
        return JSONResponse({"status": "pending"}, 202)

    return app


def plain_delay() -> FastAPI:
    """Celery as most write it first: `.delay()` in an `async def`, broker and results in one Redis."""
    app = FastAPI()
    url = os.environ["REDIS_URL"]
    celery = Celery("plain", broker=url, backend=url)

    @celery.task
    def run_agent(prompt: str) -> str:
        return prompt

    @app.post("/agent/submit")
    async def submit(body: SubmitRequest) -> JSONResponse:
        task = run_agent.delay(body.prompt)
        return JSONResponse({"task_id": task.id, "status": "pending"}, 202)

    return app
