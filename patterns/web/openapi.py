"""What the OpenAPI document says of the routes that all patterns share."""

from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from patterns.contract import EXAMPLE_DELIVERY, EXAMPLE_NEW_TASK, Health, Problem, Task, WebhookTask
from patterns.contract.descriptor import LearnsBy, Pattern
from patterns.web import problems
from patterns.web.headers import IDEMPOTENCY_KEY_MAX

JSON = "application/json"
SUBMIT = "/agent/submit"
_RETRY_AFTER = {"description": "Seconds until the next poll is useful.", "schema": {"type": "integer"}}
_ETAG = {"description": "Changes whenever the task does.", "schema": {"type": "string"}}
_PREFERENCE_APPLIED = {"description": "Present when `Prefer: wait` was honoured.", "schema": {"type": "string"}}
_IDEMPOTENCY_KEY = {
    "name": "Idempotency-Key",
    "in": "header",
    "required": False,
    "description": "The same key with the same body gives the same task, so that a submit can be sent again.",
    "schema": {"type": "string", "minLength": 1, "maxLength": IDEMPOTENCY_KEY_MAX},
}
_ABOUT = """{summary}

- **Where the work runs:** {runs_in}.
- **How the client learns the outcome:** {learns_by}.

`POST /agent/submit` answers at once with a `task_id`. `GET /agent/status/{{task_id}}` tells how far it is:
`pending → running → completed | failed | cancelled`.
"""


def about(pattern: Pattern) -> str:
    """The description of a pattern's app."""
    return _ABOUT.format(summary=pattern.summary, runs_in=pattern.runs_in, learns_by=pattern.learns_by)


def task_model(pattern: Pattern) -> Any:
    """What a task is in the answers of this pattern: with its delivery always, if it has one, or never."""
    if pattern.learns_by is LearnsBy.CALLBACK:
        return WebhookTask
    return Task | WebhookTask if pattern.takes_callback else Task


def submit_route(pattern: Pattern) -> dict[str, Any]:
    """What `app.post(…)` needs so that every answer of submit is documented."""
    model = task_model(pattern)
    example = {"delivery": EXAMPLE_DELIVERY} if model is WebhookTask else {}
    return {
        "path": SUBMIT,
        "summary": "Hand over a prompt, and get a task id at once",
        "tags": ["tasks"],
        "status_code": 202,
        "response_model": model,
        "responses": {
            202: {
                "description": "Accepted: the record exists, and the work will be done elsewhere.",
                "headers": {
                    "Location": {"description": "Where its status is.", "schema": {"type": "string"}},
                    "Retry-After": _RETRY_AFTER,
                },
                "content": {JSON: {"example": EXAMPLE_NEW_TASK | example}},
            },
            **problems.documented(413, 422, 503),
        },
        "openapi_extra": {"parameters": [_IDEMPOTENCY_KEY]},
    }


def status_route(pattern: Pattern) -> dict[str, Any]:
    """What `app.get(…)` needs for the status of a task."""
    return {
        "path": "/agent/status/{task_id}",
        "summary": "How far a task is",
        "tags": ["tasks"],
        "response_model": task_model(pattern),
        "responses": {
            200: {
                "description": "The task. `Retry-After` is there while it is not finished.",
                "headers": {"ETag": _ETAG, "Retry-After": _RETRY_AFTER, "Preference-Applied": _PREFERENCE_APPLIED},
            },
            304: {"description": "It is still as `If-None-Match` says.", "headers": {"ETag": _ETAG}},
            **problems.documented(404, 422, 503),
        },
    }


def cancel_route(pattern: Pattern) -> dict[str, Any]:
    """What `app.post(…)` needs for the end of a task that is no longer wanted."""
    return {
        "path": "/agent/cancel/{task_id}",
        "summary": "End a task that is no longer wanted",
        "description": f"The work is stopped too: {pattern.interrupts} are interrupted within a second. "
        "An agent that is not interrupted ends when it next reports progress.",
        "tags": ["tasks"],
        "response_model": task_model(pattern),
        "responses": {200: {"description": "The cancelled task."}, **problems.documented(404, 409, 422, 503)},
    }


HEALTH_ROUTE: dict[str, Any] = {
    "path": "/health",
    "summary": "Whether this server can work",
    "tags": ["server"],
    "response_model": Health,
    "responses": problems.documented(503),
}


def document(app: FastAPI) -> dict[str, Any]:
    """The whole document, in which every error is a problem."""
    if not app.openapi_schema:
        whole = get_openapi(
            title=app.title,
            version=app.version,
            summary=app.summary,
            description=app.description,
            routes=app.routes,
        )
        schemas = whole["components"]["schemas"]
        schemas["Problem"] = Problem.model_json_schema()
        # FastAPI documents its own error bodies; ours are problems.
        for unused in ("HTTPValidationError", "ValidationError"):
            schemas.pop(unused, None)
        app.openapi_schema = whole
    return app.openapi_schema
