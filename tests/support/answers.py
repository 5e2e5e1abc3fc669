"""The answers that a scripted server gives to a polling client."""

from datetime import UTC, datetime
from typing import Any

from starlette.responses import JSONResponse, Response

SUBMIT = "POST /agent/submit"
STATUS = "GET /agent/status/1"
CANCEL = "POST /agent/cancel/1"

_NOW = datetime.now(UTC).isoformat()


def task(status: str, progress: int = 0, **more: Any) -> dict[str, Any]:
    """A task with the id 1."""
    return {"task_id": "1", "status": status, "progress": progress, "created_at": _NOW, **more}


def accepted(**headers: str) -> Response:
    """The answer to a submit; `retry_after="3"` is the header `Retry-After: 3`."""
    return JSONResponse(task("pending"), 202, _named(headers))


def running(progress: int = 0, message: str | None = None, **headers: str) -> Response:
    """The status of a task that is not finished."""
    return JSONResponse(task("running", progress, message=message), 200, _named(headers))


def completed(result: str = "done", **headers: str) -> Response:
    """The status of a task that is completed."""
    return JSONResponse(task("completed", 100, result=result), 200, _named(headers))


def problem(status: int, title: str = "A title", detail: str = "A detail.", **headers: str) -> Response:
    """An error, as the kit's servers answer it."""
    body = {"title": title, "status": status, "detail": detail}
    return JSONResponse(body, status, _named(headers), "application/problem+json")


def _named(headers: dict[str, str]) -> dict[str, str]:
    return {name.replace("_", "-"): value for name, value in headers.items()}
