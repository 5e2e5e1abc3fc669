"""Webhook: the server POSTs the outcome to the client.

The idea. Each submit has a `callback_url`. The work runs on the in-memory queue, unchanged. When a task finishes, with
any outcome, `deliver` POSTs the outcome to the URL. The request is signed, so that the client can verify it, and
retried until the client acknowledges it.

Use it between servers, when jobs take minutes or hours: no client has to poll or hold a connection.

It breaks when this server cannot reach the receiver, or the receiver is down until the last attempt. Then the delivery
becomes a dead letter: it is listed at `/agent/dead-letters`, and can be redelivered. And clients choose where this
server connects to, so `webhooks.egress` refuses every address that is not public.

When the process ends, unfinished tasks and undelivered outcomes are lost, because they are in its memory;
`celery_queue` keeps them in Redis. Set `KIT_WEBHOOK_SECRET`: without it, each start signs with a new key.
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

#: At shutdown, this share of the grace period is reserved for the last deliveries.
_DELIVERY_SHARE = 0.25


class Deliveries:
    """Sends each outcome to its client. The callback URL and the attempts are in the record of the task."""

    def __init__(self, store: MemoryStore, settings: Settings) -> None:
        self._store = store
        self._settings = settings
        self._sender = Sender(settings)
        self._drained = False

    async def deliver(self, task_id: str) -> None:
        """Send one outcome, and retry until it is acknowledged or given up."""
        for number in itertools.count(1):
            record = self._store.take(task_id)
            if record is None:
                return  # the record expired during the pause
            attempt = await self._sender.attempt(record)
            if attempt.acknowledged:  # only 2xx: redirects are not followed
                state, pause = DeliveryState.DELIVERED, 0.0
            elif attempt.refused or number >= self._settings.webhook_attempts:
                state, pause = DeliveryState.DEAD, 0.0
            else:
                state, pause = DeliveryState.WAITING, pause_after(number, attempt, self._settings)
            self._store.record_attempt(task_id, attempt.details, state, pause)
            if state is not DeliveryState.WAITING:
                return
            await asyncio.sleep(pause)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Deliver the outcomes in the outbox for as long as the block lasts."""
        delivering = asyncio.create_task(self._deliver_outbox())
        try:
            yield
        finally:
            delivering.cancel()
            await asyncio.wait({delivering})
            await self._sender.aclose()

    async def drain(self, seconds: float) -> None:
        """Wait at most `seconds` for the running deliveries. A second call does not wait again."""
        if not self._drained:
            self._drained = True
            with suppress(TimeoutError):
                await asyncio.wait_for(self._store.outbox.join(), seconds)

    async def _deliver_outbox(self) -> None:
        # Each in its own task, so that a receiver that is down for an hour delays no other delivery.
        async with asyncio.TaskGroup() as deliveries:
            while True:
                deliveries.create_task(self._deliver_safely(await self._store.outbox.get()))

    async def _deliver_safely(self, task_id: str) -> None:
        try:
            await self.deliver(task_id)
        except Exception:
            logger.exception("delivery raised an exception", extra={"task_id": task_id})
            failed = DeliveryAttempt(at=datetime.now(UTC), error="an error in the server; its log has the details")
            self._store.record_attempt(task_id, failed, DeliveryState.DEAD)
        finally:
            self._store.outbox.task_done()


def create_app() -> FastAPI:
    """The app. Its queue, its records and its deliveries are in the memory of this process."""
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
