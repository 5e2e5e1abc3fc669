"""Webhook: the server POSTs the outcome to the client.

The idea. Submit names a `callback_url`. The work runs on the in-memory queue, unchanged. When a task finishes, whatever
its outcome, `deliver` sends the outcome to its client: signed, so that the client can trust it, and again until the
client has acknowledged it.

Use it between servers, when jobs take minutes or hours: no client polls, and no client waits.

It breaks when the receiver cannot be reached from here, or is down for longer than the attempts last. Then the
delivery is a dead letter: it is kept, listed at `/agent/dead-letters`, and can be sent again. And a client chooses
where this server connects to, so `webhooks.egress` refuses every address that is not public.

When the process ends, the queue ends with it: tasks that wait or run, and outcomes that are not delivered, are gone;
`celery_queue` keeps them in Redis. Set `KIT_WEBHOOK_SECRET`, too: without it each start signs with a new key.
"""

import asyncio
import itertools
import logging
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime

from fastapi import FastAPI, Request, Response

from patterns import WEBHOOK
from patterns.contract import DeliveryAttempt, DeliveryState, WebhookSubmitRequest
from patterns.contract.settings import Settings, load_settings, new_webhook_secret
from patterns.in_memory_queue import InMemoryQueue
from patterns.tasks.memory_store import MemoryStore
from patterns.web.app import new_app
from patterns.web.delivery_routes import add_delivery_routes, check_callback
from patterns.web.headers import idempotency_key
from patterns.web.mounting import root_path
from patterns.web.openapi import submit_route
from patterns.web.routes import accepted, add_shared_routes
from patterns.webhooks.sender import Sender, pause_after

logger = logging.getLogger(__name__)

#: At a stop this share of the grace period is kept for the last deliveries.
_DELIVERY_SHARE = 0.25


class Deliveries:
    """Sends each outcome to its client. The record of a task says where to, and keeps the attempts."""

    def __init__(self, store: MemoryStore, settings: Settings) -> None:
        self._store = store
        self._settings = settings
        self._sender = Sender(settings)
        self._drained = False

    async def deliver(self, task_id: str) -> None:
        """Send one outcome until it is acknowledged or given up."""
        for number in itertools.count(1):
            record = self._store.take(task_id)
            if record is None:
                return  # it expired during the pause
            attempt = await self._sender.attempt(record)
            if attempt.acknowledged:  # 2xx, and nothing else: a redirect is not followed
                state, pause = DeliveryState.DELIVERED, 0.0
            elif attempt.refused or number >= self._settings.webhook_attempts:
                state, pause = DeliveryState.DEAD, 0.0
            else:
                state, pause = DeliveryState.WAITING, pause_after(number, attempt, self._settings)
            self._store.note(task_id, attempt.made, state, pause)
            if state is not DeliveryState.WAITING:
                return
            await asyncio.sleep(pause)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Deliver what comes into the outbox, for as long as the block lasts."""
        delivering = asyncio.create_task(self._deliver_outbox())
        try:
            yield
        finally:
            delivering.cancel()
            await asyncio.wait({delivering})
            await self._sender.aclose()

    async def drain(self, seconds: float) -> None:
        """Wait at most `seconds` for the deliveries under way. A second call does not wait again."""
        if not self._drained:
            self._drained = True
            with suppress(TimeoutError):
                await asyncio.wait_for(self._store.outbox.join(), seconds)

    async def _deliver_outbox(self) -> None:
        # All at the same time, so that a receiver that is down for an hour delays no other delivery.
        async with asyncio.TaskGroup() as deliveries:
            while True:
                deliveries.create_task(self._deliver_safely(await self._store.outbox.get()))

    async def _deliver_safely(self, task_id: str) -> None:
        try:
            await self.deliver(task_id)
        except Exception:
            logger.exception("the delivery broke", extra={"task_id": task_id})
            broken = DeliveryAttempt(at=datetime.now(UTC), error="the server broke; its log has the details")
            self._store.note(task_id, broken, DeliveryState.DEAD)
        finally:
            self._store.outbox.task_done()


def create_app() -> FastAPI:
    """The app. Its queue, its records and its deliveries live and die with this process."""
    settings = load_settings()
    if settings.webhook_secret is None:
        settings.webhook_secret = new_webhook_secret()
        print(f"KIT_WEBHOOK_SECRET={settings.webhook_secret}", file=sys.stderr)  # noqa: T201 receivers need it
    queue = InMemoryQueue(settings)
    deliveries = Deliveries(queue.store, settings)

    async def drain() -> None:
        await queue.store.drain(settings.grace_seconds * (1 - _DELIVERY_SHARE), settings.collect_seconds)
        await deliveries.drain(settings.grace_seconds * _DELIVERY_SHARE)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        app.state.drain = drain
        async with deliveries.running(), queue.running():
            yield
            await drain()

    app = new_app(WEBHOOK, settings, lifespan)

    @app.post(**submit_route(WEBHOOK))
    async def submit(body: WebhookSubmitRequest, request: Request) -> Response:
        check_callback(body.callback_url, settings)
        task = queue.submit(body.prompt, idempotency_key(request), body.callback_url, root_path(request))
        return accepted(task, request, settings)

    add_shared_routes(app, WEBHOOK, queue.store, settings)
    add_delivery_routes(app, queue.store, settings)
    return app


if __name__ == "__main__":
    from patterns.cli.commands import serve_module

    serve_module("webhook")
