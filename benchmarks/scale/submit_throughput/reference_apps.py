"""Two reference apps: one that does nothing, and Celery as in its tutorial.

They are served exactly as a pattern: `python -m patterns.web.process MODULE:ceiling`.
"""

import os

from celery import Celery
from fastapi import FastAPI
from fastapi.responses import JSONResponse

from patterns.contract import SubmitRequest


def ceiling() -> FastAPI:
    """Validates a submit and responds with 202. No pattern can be faster, because each does at least that."""
    app = FastAPI()

    @app.post("/agent/submit")
    async def submit(body: SubmitRequest) -> JSONResponse:
        return JSONResponse({"status": "pending"}, 202)

    return app


def plain_delay() -> FastAPI:
    """Celery as it is usually written at first: `.delay()` in an `async def`, one Redis for broker and results."""
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
