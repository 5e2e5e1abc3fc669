"""The routes that all patterns share: status, events, cancel, health and metrics, and the response to a submit.

The submit route is not here: how a job is started is the lesson of each pattern, so each module defines its own.
"""

import hashlib
from typing import Annotated

from fastapi import FastAPI, Header, Request, Response
from fastapi_swagger import patch_fastapi

from patterns.contract import Health, Task
from patterns.contract.descriptor import Pattern
from patterns.contract.settings import Settings
from patterns.observability import lifecycle
from patterns.tasks.events import EventStore
from patterns.tasks.store import TaskStore
from patterns.web import openapi, problems
from patterns.web.events import add_events_route
from patterns.web.headers import matches, preferred_wait, retry_after_seconds, status_headers
from patterns.web.metrics import add_metrics_route

_DOCS = {"tryItOutEnabled": True, "displayRequestDuration": True, "defaultModelsExpandDepth": 0}


def add_shared_routes(app: FastAPI, pattern: Pattern, store: EventStore, settings: Settings) -> None:
    """Add status, events, cancel, health and metrics for the tasks in `store`."""
    app.state.store = store
    _add_status(app, pattern, store, settings)
    add_events_route(app, pattern, store)

    @app.post(**openapi.cancel_route(pattern))
    async def cancel(task_id: str) -> Response:
        task = await store.cancel(task_id)
        if task is None:
            return problems.unknown_task()
        return Response(task.model_dump_json(), media_type=openapi.JSON)

    @app.get(**openapi.HEALTH_ROUTE)
    async def health() -> Response:
        await store.check()
        return Response(Health(pattern=pattern.name).model_dump_json(), media_type=openapi.JSON)

    add_metrics_route(app, pattern, settings, store, app.state.submits)
    patch_fastapi(app, title=f"{pattern.title}: routes", swagger_ui_parameters=_DOCS)


def _add_status(app: FastAPI, pattern: Pattern, store: TaskStore, settings: Settings) -> None:
    retry_after = retry_after_seconds(settings.poll_interval_seconds)

    @app.get(**openapi.status_route(pattern))
    async def status(
        task_id: str,
        prefer: Annotated[
            str | None,
            Header(description="`wait=N` holds the response until the task is finished or N seconds have passed."),
        ] = None,
        if_none_match: Annotated[str | None, Header(description="The `ETag` of the response you have.")] = None,
    ) -> Response:
        seconds = preferred_wait(prefer)
        if seconds is None:
            task = await store.get(task_id)
        else:
            seconds = min(seconds, settings.max_wait_seconds)
            task = await store.wait(task_id, seconds)
        if task is None:
            return problems.unknown_task()
        body = task.model_dump_json().encode()
        headers = {"ETag": f'"{hashlib.blake2b(body, digest_size=8).hexdigest()}"', "Cache-Control": "no-cache"}
        if seconds is not None:
            headers["Preference-Applied"] = f"wait={seconds:g}"
        if not task.finished:
            # After a long poll the client has waited long enough, and may poll again at once.
            headers["Retry-After"] = retry_after if not seconds else "0"
        if if_none_match and matches(if_none_match, headers["ETag"]):
            return Response(status_code=304, headers=headers)
        return Response(body, headers=headers, media_type=openapi.JSON)


def accepted(task: Task, request: Request, settings: Settings) -> Response:
    """The response to a submit: 202 and the task, with `Location` and `Retry-After`."""
    lifecycle.accepted(task.task_id)
    return Response(task.model_dump_json(), 202, status_headers(task.task_id, request, settings), openapi.JSON)
