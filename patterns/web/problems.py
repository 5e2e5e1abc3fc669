"""Error responses as `application/problem+json` (RFC 9457), with a `detail` that says what to do next."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException

from patterns.contract import Problem
from patterns.tasks.store import AlreadyFinished, KeyReused, NotADeadLetter, QueueFull, StoreError, Unavailable
from patterns.web.mounting import root_path
from patterns.web.submit_observer import ERROR_LABEL

MEDIA_TYPE = "application/problem+json"

#: For each error of a store: the status, the title, and the label in the metrics.
_STORE_ERRORS: dict[type[StoreError], tuple[int, str, str]] = {
    QueueFull: (503, "Queue full", "queue_full"),
    Unavailable: (503, "Temporarily unavailable", "unavailable"),
    KeyReused: (422, "Idempotency-Key reused", "key_reused"),
    AlreadyFinished: (409, "Already finished", "already_finished"),
    NotADeadLetter: (409, "Not a dead letter", "not_a_dead_letter"),
}

#: The errors that the connection itself returns on any route, before the request reaches the app; see `connections`.
CONNECTION_ERRORS = (400, 408, 431, 503)

#: For each documented error: its meaning, and an example of its title.
_MEANING = {
    400: ("The request is not valid HTTP.", "Not HTTP"),
    404: ("No task has this id: it never existed, or its record has expired.", "Unknown task"),
    408: ("The request did not arrive in time.", "Request Timeout"),
    409: ("The state of the task, or of its delivery, does not allow this.", "Already finished"),
    413: ("The body is longer than the limit.", "Content Too Large"),
    422: ("The request is invalid; `detail` names each field.", "Invalid request"),
    431: ("The request line and the headers are longer than the limit.", "Request Header Fields Too Large"),
    503: (
        "Nothing was accepted or changed: the queue is full, or something the server needs is down. Try again later.",
        "Queue full",
    ),
}


def problem(status: int, title: str, detail: str, headers: Mapping[str, str] | None = None) -> Response:
    """An error response."""
    body = Problem(title=title, status=status, detail=detail).model_dump_json()
    return Response(body, status, dict(headers or {}), MEDIA_TYPE)


def documented(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The error responses of a route, for its OpenAPI documentation."""
    return {status: _document(status) for status in statuses}


def install(app: FastAPI, retry_after: str) -> None:
    """Return every error of `app` as a problem; `retry_after` is the header of a 503, in seconds."""

    @app.exception_handler(StoreError)
    async def store_error(request: Request, error: StoreError) -> Response:
        status, title, request.scope[ERROR_LABEL] = _STORE_ERRORS[type(error)]
        return problem(status, title, str(error), {"Retry-After": retry_after} if status == 503 else None)

    @app.exception_handler(RequestValidationError)
    async def invalid(request: Request, error: RequestValidationError) -> Response:
        # The input itself is left out: it may be huge, or text that cannot be encoded.
        messages = [f"{'.'.join(str(part) for part in e['loc'])}: {e['msg']}" for e in error.errors()[:10]]
        return problem(422, "Invalid request", "; ".join(messages).encode(errors="replace").decode()[:2000])

    @app.exception_handler(HTTPException)
    async def http_error(request: Request, error: HTTPException) -> Response:
        if error.status_code == 400:  # FastAPI raises it for a body that it cannot parse
            return problem(422, "Invalid request", "body: it is not valid JSON")
        title = HTTPStatus(error.status_code).phrase
        detail = {
            404: f"There is no route {request.url.path}. All routes are listed at {root_path(request)}/docs.",
            405: f"{request.method} is not allowed here. The Allow header lists the allowed methods.",
            413: "The body is longer than this server's limit (KIT_MAX_BODY_BYTES). Send a shorter prompt.",
        }.get(error.status_code, str(error.detail))
        return problem(error.status_code, title, detail.encode(errors="replace").decode(), error.headers)

    @app.exception_handler(Exception)
    async def unexpected(request: Request, error: Exception) -> Response:
        return problem(500, "Server error", "The server failed to process this request. Its log has the details.")


def unknown_task() -> Response:
    """The response for an id that never existed, or whose record has expired."""
    return problem(404, "Unknown task", _MEANING[404][0])


def _document(status: int) -> dict[str, Any]:
    meaning, title = _MEANING[status]
    example = {"title": title, "status": status, "detail": meaning}
    document: dict[str, Any] = {
        "description": meaning,
        "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}, "example": example}},
    }
    if status == 503:
        document["headers"] = {"Retry-After": {"description": "Seconds to wait.", "schema": {"type": "integer"}}}
    return document
