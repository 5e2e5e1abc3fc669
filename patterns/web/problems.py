"""Every error as `application/problem+json` (RFC 9457), with a `detail` that says what to do next."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException

from patterns.contract import Problem
from patterns.tasks.store import AlreadyFinished, KeyReused, NotADeadLetter, QueueFull, StoreError, Unavailable
from patterns.web.mounting import root_path
from patterns.web.submit_observer import REFUSED

MEDIA_TYPE = "application/problem+json"

#: Of each store's error: its status, its title, and its name in the figures.
_STORE_ERRORS: dict[type[StoreError], tuple[int, str, str]] = {
    QueueFull: (503, "Queue full", "queue_full"),
    Unavailable: (503, "Not available now", "unavailable"),
    KeyReused: (422, "Idempotency-Key reused", "key_reused"),
    AlreadyFinished: (409, "Already finished", "already_finished"),
    NotADeadLetter: (409, "Not a dead letter", "not_a_dead_letter"),
}

#: What a server answers before its app is asked, whatever the route; see `connections`.
BEFORE_THE_APP = (400, 408, 431, 503)

#: Of each documented error: what it means, and an example of its title.
_MEANING = {
    400: ("What came is not HTTP.", "Not HTTP"),
    404: ("No task has this id: it was never given out, or its record has expired.", "Unknown task"),
    408: ("The request did not arrive in time.", "Request Timeout"),
    409: ("It is finished already, and cannot be changed any more.", "Already finished"),
    413: ("The body is over the limit.", "Content Too Large"),
    422: ("The request is not valid; `detail` names each field.", "Invalid request"),
    431: ("The request line and the headers are over the limit.", "Request Header Fields Too Large"),
    503: (
        "Nothing was accepted or changed: the queue is full, or something the server needs is down. Try again later.",
        "Queue full",
    ),
}


def problem(status: int, title: str, detail: str, headers: Mapping[str, str] | None = None) -> Response:
    """An error answer."""
    body = Problem(title=title, status=status, detail=detail).model_dump_json()
    return Response(body, status, dict(headers or {}), MEDIA_TYPE)


def documented(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The error answers of a route, for its OpenAPI document."""
    return {status: _document(status) for status in statuses}


def install(app: FastAPI, retry_after: str) -> None:
    """Answer every error of `app` as a problem; a 503 tells clients to come back after `retry_after` seconds."""

    @app.exception_handler(StoreError)
    async def store_error(request: Request, error: StoreError) -> Response:
        status, title, request.scope[REFUSED] = _STORE_ERRORS[type(error)]
        return problem(status, title, str(error), {"Retry-After": retry_after} if status == 503 else None)

    @app.exception_handler(RequestValidationError)
    async def invalid(request: Request, error: RequestValidationError) -> Response:
        # The input itself is not repeated: it may be huge, or text that cannot be encoded.
        found = [f"{'.'.join(str(part) for part in e['loc'])}: {e['msg']}" for e in error.errors()[:10]]
        return problem(422, "Invalid request", "; ".join(found).encode(errors="replace").decode()[:2000])

    @app.exception_handler(HTTPException)
    async def http_error(request: Request, error: HTTPException) -> Response:
        if error.status_code == 400:  # FastAPI's word for a body that it could not parse at all
            return problem(422, "Invalid request", "body: it is not JSON that this server can read")
        title = HTTPStatus(error.status_code).phrase
        detail = {
            404: f"Nothing is at {request.url.path}. The routes are listed at {root_path(request)}/docs.",
            405: f"{request.method} is not allowed here. The Allow header names what is.",
            413: "The body is over this server's limit (KIT_MAX_BODY_BYTES). Send a shorter prompt.",
        }.get(error.status_code, str(error.detail))
        return problem(error.status_code, title, detail.encode(errors="replace").decode(), error.headers)

    @app.exception_handler(Exception)
    async def unexpected(request: Request, error: Exception) -> Response:
        return problem(500, "Server error", "Something broke in the server. Its log has the details.")


def unknown_task() -> Response:
    """The answer for an id that was never given out, or whose record has expired."""
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
