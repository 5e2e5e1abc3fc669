"""The server of the null contender."""

from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

from fastapi import FastAPI, HTTPException
from fastapi.responses import JSONResponse

from benchmarks.plan.null_contender import NULL
from patterns.contract import SubmitRequest


def create_app() -> FastAPI:
    """An app that implements the part of the contract that a well-behaved client uses."""
    app = FastAPI()
    tasks: dict[str, dict[str, Any]] = {}

    @app.post("/agent/submit")
    async def submit(body: SubmitRequest) -> JSONResponse:
        now, task_id = datetime.now(UTC).isoformat(), uuid4().hex
        finished = {"status": "completed", "progress": 100, "result": "", "error": None}
        moments = {"created_at": now, "started_at": now, "finished_at": now}
        tasks[task_id] = {"task_id": task_id, **finished, **moments}
        return JSONResponse(tasks[task_id], 202)

    @app.get("/agent/status/{task_id}")
    async def status(task_id: str) -> JSONResponse:
        if task_id not in tasks:
            raise HTTPException(404)
        return JSONResponse(tasks[task_id])

    @app.get("/health")
    async def health() -> dict[str, str]:
        return {"status": "ok", "pattern": NULL.name}

    return app
