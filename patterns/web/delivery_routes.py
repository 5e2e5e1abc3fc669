"""The routes of patterns with callbacks (dead letters and redelivery), and the check of a callback URL."""

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
    """Raise `RequestValidationError` unless this server may send callbacks to the URL."""
    try:
        check_callback_url(url, allow_private=settings.webhook_allow_private)
    except ForbiddenAddress as error:
        raise callback_refused(str(error)) from error


def callback_refused(reason: str) -> RequestValidationError:
    """The error to raise when a callback URL cannot be accepted."""
    return RequestValidationError([{"loc": ("body", "callback_url"), "msg": reason}])


def add_delivery_routes(app: FastAPI, store: TaskStore, settings: Settings) -> None:
    """Add the routes that list dead letters and redeliver them."""

    @app.get(
        "/agent/dead-letters",
        summary="List the tasks whose outcome could not be delivered",
        tags=["deliveries"],
        response_model=list[WebhookTask],
        responses=problems.documented(422, 503),
    )
    async def dead_letters(limit: Annotated[int, Query(ge=1, le=1000)] = 100) -> list[Task]:
        return await store.dead_letters(limit)

    @app.post(
        "/agent/redeliver/{task_id}",
        summary="Redeliver a dead letter",
        tags=["deliveries"],
        status_code=202,
        response_model=WebhookTask,
        responses={202: {"description": "It gets new attempts."}, **problems.documented(404, 409, 422, 503)},
    )
    async def redeliver(task_id: str, request: Request) -> Response:
        task = await store.redeliver(task_id)
        if task is None:
            return problems.unknown_task()
        return Response(task.model_dump_json(), 202, status_headers(task_id, request, settings), "application/json")
