"""What every pattern that calls back has beside the other routes: its dead letters, and the check of a callback URL."""

from typing import Annotated

from fastapi import FastAPI, Query, Request, Response
from fastapi.exceptions import RequestValidationError

from patterns.contract import Task, WebhookTask
from patterns.contract.settings import Settings
from patterns.tasks.store import TaskStore
from patterns.web import problems
from patterns.web.headers import status_headers
from patterns.webhooks.egress import ForbiddenAddress, check_callback_url


def check_callback(url: str, settings: Settings) -> None:
    """Raise `RequestValidationError` unless this server may call the URL."""
    try:
        check_callback_url(url, allow_private=settings.webhook_allow_private)
    except ForbiddenAddress as error:
        raise no_callback(str(error)) from error


def no_callback(why: str) -> RequestValidationError:
    """What to raise when a callback URL cannot be accepted."""
    return RequestValidationError([{"loc": ("body", "callback_url"), "msg": why}])


def add_delivery_routes(app: FastAPI, store: TaskStore, settings: Settings) -> None:
    """Add the list of dead letters, and the route that sends a dead letter again."""

    @app.get(
        "/agent/dead-letters",
        summary="The tasks whose outcome could not be delivered",
        tags=["deliveries"],
        response_model=list[WebhookTask],
        responses=problems.documented(422, 503),
    )
    async def dead_letters(limit: Annotated[int, Query(ge=1, le=1000)] = 100) -> list[Task]:
        return await store.dead_letters(limit)

    @app.post(
        "/agent/redeliver/{task_id}",
        summary="Send a dead letter again",
        tags=["deliveries"],
        status_code=202,
        response_model=WebhookTask,
        responses={202: {"description": "Its attempts start again."}, **problems.documented(404, 409, 422, 503)},
    )
    async def redeliver(task_id: str, request: Request) -> Response:
        task = await store.redeliver(task_id)
        if task is None:
            return problems.unknown_task()
        return Response(task.model_dump_json(), 202, status_headers(task_id, request, settings), "application/json")
