"""What every pattern that calls back has beside the shared routes: where to, and what could not be told."""

from typing import Annotated, Protocol

import httpx
from fastapi import FastAPI, Query, Response
from fastapi.exceptions import RequestValidationError

from patterns.contract import Task, WebhookTask
from patterns.contract.settings import Settings
from patterns.web import problems
from patterns.web.routes import accepted
from patterns.webhooks.egress import ForbiddenAddress, check_callback_url


class DeadLetters(Protocol):
    """The deliveries that were given up."""

    async def dead_letters(self, limit: int) -> list[Task]:
        """The tasks whose outcome could not be told, oldest first."""

    async def redeliver(self, task_id: str) -> Task | None:
        """Let one be told again; None if there is no such task. Raises `NotADeadLetter`."""


def checked_callback_url(url: str, settings: Settings) -> httpx.URL:
    """The URL, if this server may call it. Raises `RequestValidationError`."""
    try:
        return check_callback_url(url, allow_private=settings.webhook_allow_private)
    except ForbiddenAddress as error:
        raise no_callback(str(error)) from error


def no_callback(why: str) -> RequestValidationError:
    """What to raise when a callback URL cannot be taken."""
    return RequestValidationError([{"loc": ("body", "callback_url"), "msg": why}])


def add_delivery_routes(app: FastAPI, letters: DeadLetters, settings: Settings) -> None:
    """Add the list of dead letters, and sending one again."""

    @app.get(
        "/agent/dead-letters",
        summary="The tasks whose outcome could not be told",
        tags=["deliveries"],
        response_model=list[WebhookTask],
        responses=problems.documented(422, 503),
    )
    async def dead_letters(limit: Annotated[int, Query(ge=1, le=1000)] = 100) -> list[Task]:
        return await letters.dead_letters(limit)

    @app.post(
        "/agent/redeliver/{task_id}",
        summary="Send a dead letter again",
        tags=["deliveries"],
        status_code=202,
        response_model=WebhookTask,
        responses={202: {"description": "Its attempts begin anew."}, **problems.documented(404, 409, 422, 503)},
    )
    async def redeliver(task_id: str) -> Response:
        task = await letters.redeliver(task_id)
        return problems.unknown_task() if task is None else accepted(task, settings)
