"""What every pattern's app shares: status, cancel, health, errors, and the answer to an accepted submit.

Submit itself is not here. How a job is handed over is the lesson of each pattern, so each module shows its own.
"""

import hashlib
import math
import re
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Annotated, Any

from fastapi import FastAPI, Header, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.openapi.utils import get_openapi
from fastapi_swagger import patch_fastapi

from patterns.contract import EXAMPLE_DELIVERY, EXAMPLE_NEW_TASK, Health, Problem, Task, WebhookTask
from patterns.contract.descriptor import Pattern
from patterns.contract.settings import Settings
from patterns.observability import lifecycle
from patterns.observability.counters import DeliveryFigures
from patterns.observability.tracing import tracing
from patterns.tasks.store import TaskStore
from patterns.web import problems
from patterns.web.body_limit import BodyLimit
from patterns.web.metrics import add_metrics_route
from patterns.web.submit_observer import SubmitObserver

Lifespan = Callable[[FastAPI], AbstractAsyncContextManager[None]]

_JSON = "application/json"
_SUBMIT = "/agent/submit"
_RETRY_AFTER = {"description": "Seconds until the next poll is useful.", "schema": {"type": "integer"}}
_ETAG = {"description": "Changes whenever the task does.", "schema": {"type": "string"}}
_PREFERENCE_APPLIED = {"description": "Present when `Prefer: wait` was honoured.", "schema": {"type": "string"}}
_IDEMPOTENCY_KEY_MAX = 255
_IDEMPOTENCY_KEY = {
    "name": "Idempotency-Key",
    "in": "header",
    "required": False,
    "description": "The same key with the same body gives the same task, so that a submit can be sent again.",
    "schema": {"type": "string", "minLength": 1, "maxLength": _IDEMPOTENCY_KEY_MAX},
}
_DOCS = {"tryItOutEnabled": True, "displayRequestDuration": True, "defaultModelsExpandDepth": 0}
_ABOUT = """{summary}

- **Where the work runs:** {runs_in}.
- **How the client learns the outcome:** {learns_by}.

`POST /agent/submit` answers at once with a `task_id`. `GET /agent/status/{{task_id}}` tells how far it is:
`pending → running → completed | failed | cancelled`.
"""


def new_app(pattern: Pattern, settings: Settings, lifespan: Lifespan) -> FastAPI:
    """An app that answers every error as a problem; the caller adds submit, and then the shared routes."""
    app = FastAPI(
        title=pattern.title,
        summary=f"The {pattern.name} pattern: a long job behind a short request.",
        description=_ABOUT.format(summary=pattern.summary, runs_in=pattern.runs_in, learns_by=pattern.learns_by),
        version="1",
        lifespan=_flushing(lifespan),
        redirect_slashes=False,
        docs_url=None,
        redoc_url=None,
        swagger_ui_oauth2_redirect_url=None,
        responses=problems.documented(*problems.BEFORE_THE_APP),
    )
    app.add_middleware(BodyLimit, path=_SUBMIT, most_bytes=settings.max_body_bytes)
    app.state.submits = Counter()
    app.add_middleware(SubmitObserver, path=_SUBMIT, pattern=pattern.name, answers=app.state.submits)
    problems.install(app, retry_after_seconds(max(1.0, settings.poll_interval_seconds)))
    app.openapi = lambda: _openapi(app)  # type: ignore[method-assign]  # the way FastAPI documents to extend it
    return app


def add_shared_routes(
    app: FastAPI,
    pattern: Pattern,
    store: TaskStore,
    settings: Settings,
    *,
    task_model: Any = Task,
    present: Callable[[Task], Task] = lambda task: task,
    deliveries: Callable[[], Awaitable[DeliveryFigures]] | None = None,
) -> None:
    """Add status, cancel, health and metrics for the tasks in `store`.

    A pattern that shows more than the store knows gives its own `task_model`, and `present` to fill it; one that
    calls back gives the figures of its `deliveries`.
    """
    app.state.store = store
    retry_after = retry_after_seconds(settings.poll_interval_seconds)

    @app.get(
        "/agent/status/{task_id}",
        summary="How far a task is",
        tags=["tasks"],
        response_model=task_model,
        responses={
            200: {
                "description": "The task. `Retry-After` is there while it is not finished.",
                "headers": {"ETag": _ETAG, "Retry-After": _RETRY_AFTER, "Preference-Applied": _PREFERENCE_APPLIED},
            },
            304: {"description": "It is still as `If-None-Match` says.", "headers": {"ETag": _ETAG}},
            **problems.documented(404, 422, 503),
        },
    )
    async def status(
        task_id: str,
        prefer: Annotated[
            str | None, Header(description="`wait=N` holds the answer until the task is finished, or N seconds.")
        ] = None,
        if_none_match: Annotated[str | None, Header(description="The `ETag` of the answer you have.")] = None,
    ) -> Response:
        seconds = wanted_wait(prefer)
        if seconds is None:
            task = await store.get(task_id)
        else:
            seconds = min(seconds, settings.max_wait_seconds)
            task = await store.wait(task_id, seconds)
        if task is None:
            return problems.unknown_task()
        body = present(task).model_dump_json().encode()
        headers = {"ETag": f'"{hashlib.blake2b(body, digest_size=8).hexdigest()}"', "Cache-Control": "no-cache"}
        if seconds is not None:
            headers["Preference-Applied"] = f"wait={seconds:g}"
        if not task.finished:
            # Whoever was held has waited already and may ask again at once.
            headers["Retry-After"] = retry_after if not seconds else "0"
        if if_none_match and matches(if_none_match, headers["ETag"]):
            return Response(status_code=304, headers=headers)
        return Response(body, headers=headers, media_type=_JSON)

    @app.post(
        "/agent/cancel/{task_id}",
        summary="End a task that is no longer wanted",
        tags=["tasks"],
        response_model=task_model,
        responses={200: {"description": "The cancelled task."}, **problems.documented(404, 409, 422, 503)},
    )
    async def cancel(task_id: str) -> Response:
        task = await store.cancel(task_id)
        if task is None:
            return problems.unknown_task()
        return Response(present(task).model_dump_json(), media_type=_JSON)

    @app.get(
        "/health",
        summary="Whether this server can work",
        tags=["server"],
        response_model=Health,
        responses=problems.documented(503),
    )
    async def health() -> Response:
        await store.check()
        return Response(Health(pattern=pattern.name).model_dump_json(), media_type=_JSON)

    add_metrics_route(app, pattern, settings, store, app.state.submits, deliveries)
    patch_fastapi(app, title=f"{pattern.title}: routes", swagger_ui_parameters=_DOCS)


def submit_route(task_model: Any = Task) -> dict[str, Any]:
    """What `app.post(…)` needs so that every answer of submit is documented: a task, or a union of them."""
    example = {"delivery": EXAMPLE_DELIVERY} if task_model is WebhookTask else {}
    return {
        "path": _SUBMIT,
        "summary": "Hand over a prompt, and get a task id at once",
        "tags": ["tasks"],
        "status_code": 202,
        "response_model": task_model,
        "responses": {
            202: {
                "description": "Accepted: the record exists, and the work will be done elsewhere.",
                "headers": {
                    "Location": {"description": "Where its status is.", "schema": {"type": "string"}},
                    "Retry-After": _RETRY_AFTER,
                },
                "content": {_JSON: {"example": EXAMPLE_NEW_TASK | example}},
            },
            **problems.documented(413, 422, 503),
        },
        "openapi_extra": {"parameters": [_IDEMPOTENCY_KEY]},
    }


def idempotency_key(request: Request) -> str | None:
    """The `Idempotency-Key` header, or None. Raises `RequestValidationError` for one that is empty or too long.

    Read by hand, because a declared header makes FastAPI spend a fifth of the time of the whole request on it.
    """
    key = request.headers.get("idempotency-key")
    if key is not None and not 1 <= len(key) <= _IDEMPOTENCY_KEY_MAX:
        message = f"must have 1 to {_IDEMPOTENCY_KEY_MAX} characters"
        raise RequestValidationError([{"loc": ("header", "Idempotency-Key"), "msg": message}])
    return key


def accepted(task: Task, settings: Settings) -> Response:
    """The answer to a submit: 202, where the status is, when to ask, and the task."""
    lifecycle.accepted(task.task_id)
    headers = {
        "Location": f"/agent/status/{task.task_id}",
        "Retry-After": retry_after_seconds(settings.poll_interval_seconds),
    }
    return Response(task.model_dump_json(), 202, headers, _JSON)


def retry_after_seconds(seconds: float) -> str:
    """A `Retry-After` value: whole seconds (RFC 9110, 10.2.3), rounded up."""
    return str(math.ceil(seconds))


def wanted_wait(prefer: str | None) -> float | None:
    """The seconds in `Prefer: wait=N` (RFC 7240, 4.3), or None. What cannot be read is ignored, as it says."""
    found = re.search(r'(?:^|[,;\s])wait\s*=\s*"?(\d{1,9})"?\s*(?:$|[,;])', prefer or "", re.IGNORECASE)
    return float(found[1]) if found else None


def matches(if_none_match: str, etag: str) -> bool:
    """Whether `If-None-Match` names this ETag (RFC 9110, 13.1.2: weak comparison)."""
    return if_none_match.strip() == "*" or etag in [
        candidate.strip().removeprefix("W/") for candidate in if_none_match.split(",")
    ]


def _flushing(lifespan: Lifespan) -> Lifespan:
    """The app's own, and at its end the last traces are sent: uvicorn ends its process by a signal."""

    @asynccontextmanager
    async def flushing(app: FastAPI) -> AsyncIterator[None]:
        async with lifespan(app):
            yield
        tracing().flush()

    return flushing


def _openapi(app: FastAPI) -> dict[str, Any]:
    if not app.openapi_schema:
        document = get_openapi(
            title=app.title,
            version=app.version,
            summary=app.summary,
            description=app.description,
            routes=app.routes,
        )
        schemas = document["components"]["schemas"]
        schemas["Problem"] = Problem.model_json_schema()
        # FastAPI documents its own error bodies; ours are problems.
        for unused in ("HTTPValidationError", "ValidationError"):
            schemas.pop(unused, None)
        app.openapi_schema = document
    return app.openapi_schema
