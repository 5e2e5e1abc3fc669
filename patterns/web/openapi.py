"""The OpenAPI documentation of the routes that all patterns share."""

from typing import Any, get_args

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from fastapi.sse import EventSourceResponse

from patterns.contract import EXAMPLE_DELIVERY, EXAMPLE_NEW_TASK, Health, Problem, Task, WebhookTask
from patterns.contract.descriptor import LearnsBy, Pattern
from patterns.web import problems
from patterns.web.headers import IDEMPOTENCY_KEY_MAX

JSON = "application/json"
SUBMIT = "/agent/submit"
_RETRY_AFTER = {"description": "Seconds until the next poll is useful.", "schema": {"type": "integer"}}
_ETAG = {"description": "Changes whenever the task changes.", "schema": {"type": "string"}}
_PREFERENCE_APPLIED = {"description": "Present if `Prefer: wait` was applied.", "schema": {"type": "string"}}
_IDEMPOTENCY_KEY = {
    "name": "Idempotency-Key",
    "in": "header",
    "required": False,
    "description": "Makes it safe to retry a submit: the same key with the same body returns the same task.",
    "schema": {"type": "string", "minLength": 1, "maxLength": IDEMPOTENCY_KEY_MAX},
}
_DESCRIPTION = """{summary}

- **Where the work runs:** {runs_in}.
- **How the client learns the outcome:** {learns_by}.

`POST /agent/submit` returns a `task_id` at once. `GET /agent/status/{{task_id}}` returns the status of the task:
`pending → running → completed | failed | cancelled`. `GET /agent/events/{{task_id}}` streams its changes.
"""


def description(pattern: Pattern) -> str:
    """The description of a pattern's app."""
    return _DESCRIPTION.format(summary=pattern.summary, runs_in=pattern.runs_in, learns_by=pattern.learns_by)


def task_model(pattern: Pattern) -> Any:
    """The model of a task in the responses of this pattern: with a delivery where callbacks are possible."""
    if pattern.learns_by is LearnsBy.CALLBACK:
        return WebhookTask
    return Task | WebhookTask if pattern.takes_callback else Task


def submit_route(pattern: Pattern) -> dict[str, Any]:
    """The arguments of `app.post` for the submit route."""
    model = task_model(pattern)
    example = {"delivery": EXAMPLE_DELIVERY} if model is WebhookTask else {}
    return {
        "path": SUBMIT,
        "summary": "Submit a task, and get its id at once",
        "tags": ["tasks"],
        "status_code": 202,
        "response_model": model,
        "responses": {
            202: {
                "description": "Accepted. The task has a record, and runs after this response.",
                "headers": {
                    "Location": {"description": "The path of the task's status.", "schema": {"type": "string"}},
                    "Retry-After": _RETRY_AFTER,
                },
                "content": {JSON: {"example": EXAMPLE_NEW_TASK | example}},
            },
            **problems.documented(413, 422, 503),
        },
        "openapi_extra": {"parameters": [_IDEMPOTENCY_KEY]},
    }


def status_route(pattern: Pattern) -> dict[str, Any]:
    """The arguments of `app.get` for the status route."""
    return {
        "path": "/agent/status/{task_id}",
        "summary": "Get the status of a task",
        "tags": ["tasks"],
        "response_model": task_model(pattern),
        "responses": {
            200: {
                "description": "The task. `Retry-After` is present until it is finished.",
                "headers": {"ETag": _ETAG, "Retry-After": _RETRY_AFTER, "Preference-Applied": _PREFERENCE_APPLIED},
            },
            304: {"description": "The task still matches `If-None-Match`.", "headers": {"ETag": _ETAG}},
            **problems.documented(404, 422, 503),
        },
    }


def events_route(pattern: Pattern) -> dict[str, Any]:
    """The arguments of `app.get` for the events route."""
    models = get_args(task_model(pattern)) or (task_model(pattern),)
    task = {"anyOf": [{"$ref": f"#/components/schemas/{model.__name__}"} for model in models]}
    data = {"type": "string", "contentMediaType": JSON, "contentSchema": task}
    return {
        "path": "/agent/events/{task_id}",
        "summary": "Follow a task: its changes as server-sent events",
        "tags": ["tasks"],
        "response_class": EventSourceResponse,
        "responses": {
            200: {
                "description": "First the task as it is, then an event for each change, until the outcome. After a "
                "`Last-Event-ID`, the stream continues with the next change.",
                "content": {"text/event-stream": {"itemSchema": {"properties": {"data": data}}}},
            },
            204: {"description": "The event in `Last-Event-ID` is the outcome: there are no more."},
            **problems.documented(404, 422, 503),
        },
    }


def cancel_route(pattern: Pattern) -> dict[str, Any]:
    """The arguments of `app.post` for the cancel route."""
    return {
        "path": "/agent/cancel/{task_id}",
        "summary": "Cancel a task",
        "description": f"The agent is stopped too: {pattern.interrupts} are interrupted within a second. "
        "An agent that is not interrupted stops when it next reports progress.",
        "tags": ["tasks"],
        "response_model": task_model(pattern),
        "responses": {200: {"description": "The cancelled task."}, **problems.documented(404, 409, 422, 503)},
    }


HEALTH_ROUTE: dict[str, Any] = {
    "path": "/health",
    "summary": "Check whether this server is healthy",
    "tags": ["server"],
    "response_model": Health,
    "responses": problems.documented(503),
}


def document(app: FastAPI) -> dict[str, Any]:
    """The app's OpenAPI document, in which every error is a problem."""
    if not app.openapi_schema:
        schema = get_openapi(
            title=app.title,
            version=app.version,
            summary=app.summary,
            description=app.description,
            routes=app.routes,
        )
        models = schema["components"]["schemas"]
        models["Problem"] = Problem.model_json_schema()
        # FastAPI adds its own error models, which are not used here.
        for unused in ("HTTPValidationError", "ValidationError"):
            models.pop(unused, None)
        app.openapi_schema = schema
    return app.openapi_schema
