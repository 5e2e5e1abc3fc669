"""Webhook: the server POSTs the outcome to the client.

The idea. Submit names a `callback_url`. The work runs on the in-memory queue, unchanged; when a task is
finished, whichever way, the server tells its client: signed, so that the client can believe it, and again
until the client has taken it.

Use it between servers, when jobs take minutes or hours: nobody asks in vain, and nobody waits.

It breaks when the receiver cannot be reached from here, or is down for longer than the attempts last. Then the
delivery is a dead letter: it is kept, listed at `/agent/dead-letters`, and can be sent again. The callback URL
is a stranger's choice of where this server connects to, so `egress` refuses what is not public.

And when the process ends, as its queue does: what waits, runs, or is not told yet is gone; `celery_queue` tells from
a queue on disk. Set `KIT_WEBHOOK_SECRET`, too: without it each start signs with another one.
"""

import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI, Request, Response

from patterns import WEBHOOK
from patterns.contract import DeliveryState, Task, WebhookSubmitRequest, WebhookTask
from patterns.contract.settings import load_settings, new_webhook_secret
from patterns.in_memory_queue import InMemoryQueue
from patterns.tasks.memory_store import MemoryStore
from patterns.tasks.store import NotADeadLetter
from patterns.web.app import new_app
from patterns.web.delivery_routes import add_delivery_routes, checked_callback_url
from patterns.web.headers import idempotency_key
from patterns.web.openapi import submit_route
from patterns.web.routes import accepted, add_shared_routes
from patterns.webhooks.deliveries import Deliveries

#: At a stop this much of the grace period is kept for telling the last outcomes.
_TELLING_SHARE = 0.25


def create_app() -> FastAPI:
    """The app. Its queue, its records and its deliveries live and die with this process."""
    settings = load_settings()
    if settings.webhook_secret is None:
        settings.webhook_secret = new_webhook_secret()
        print(f"KIT_WEBHOOK_SECRET={settings.webhook_secret}", file=sys.stderr)  # noqa: T201 receivers need it
    queue = InMemoryQueue(settings)
    deliveries = Deliveries(settings, queue.store.get)
    queue.store.on_finish.append(deliveries.start)
    queue.store.on_forget.append(deliveries.forget)

    present, letters = deliveries.present, Letters(queue.store, deliveries)

    async def drain() -> None:
        await queue.store.drain(settings.grace_seconds * (1 - _TELLING_SHARE), settings.collect_seconds)
        await deliveries.drain(settings.grace_seconds * _TELLING_SHARE)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        app.state.drain, app.state.deliveries = drain, deliveries
        async with queue.running():
            yield
            await drain()
        await deliveries.aclose()

    app = new_app(WEBHOOK, settings, lifespan)

    @app.post(**submit_route(WebhookTask))
    async def submit(body: WebhookSubmitRequest, request: Request) -> Response:
        url = checked_callback_url(body.callback_url, settings)
        task, new = queue.submit(body.prompt, f"{body.callback_url}\n{body.prompt}", idempotency_key(request))
        if new:
            deliveries.expect(task.task_id, url)
        return accepted(present(task), settings)

    add_shared_routes(
        app, WEBHOOK, queue.store, settings, task_model=WebhookTask, present=present, deliveries=deliveries.figures
    )

    add_delivery_routes(app, letters, settings)
    return app


class Letters:
    """The dead letters of this process."""

    def __init__(self, store: MemoryStore, deliveries: Deliveries) -> None:
        self._store = store
        self._deliveries = deliveries

    async def dead_letters(self, limit: int) -> list[Task]:
        tasks = [await self._store.get(task_id) for task_id in self._deliveries.dead_letters(limit)]
        return [self._deliveries.present(task) for task in tasks if task is not None]

    async def redeliver(self, task_id: str) -> Task | None:
        task = await self._store.get(task_id)
        if task is None:
            return None
        if self._deliveries.get(task_id).state is not DeliveryState.DEAD:
            raise NotADeadLetter("Only a delivery that was given up can be sent again.")
        self._deliveries.start(task_id)
        return self._deliveries.present(task)


if __name__ == "__main__":
    from patterns.cli.commands import serve_module

    serve_module("webhook")
