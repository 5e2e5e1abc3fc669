"""Callbacks: each attempt to deliver an outcome is a Celery task, `deliver`.

The outbox in Redis knows what is due, and when the next attempt is. A worker that dies during an attempt leaves the
outcome there, and another worker delivers it.
"""

import asyncio
import threading
from contextlib import suppress

import httpx
from celery import signals
from kombu.exceptions import KombuError
from redis.exceptions import RedisError

from patterns.celery_support.app import celery, process_settings
from patterns.celery_support.brokers import DELIVER
from patterns.celery_support.worker import records
from patterns.contract.settings import Settings
from patterns.observability.logs import about
from patterns.redis_store.outbox import Outcome
from patterns.web.delivery_routes import checked_callback_url, no_callback
from patterns.webhooks.attempt import Attempted, Caller, payload


def allowed_callback_url(url: str | None, settings: Settings) -> str:
    """The URL, or "" if there is none. Raises `RequestValidationError` if this server may not or cannot call it."""
    if not url:
        return ""
    if settings.webhook_secret is None:
        raise no_callback("set KIT_WEBHOOK_SECRET, the same for web processes and workers: callbacks are signed")
    checked_callback_url(url, settings)
    return url


@celery.task(name=DELIVER, acks_late=True, reject_on_worker_lost=True)
def deliver(task_id: str, attempts: int) -> None:
    """Make one attempt, unless another worker has made it. The outbox has the next one sent when it is due."""
    outbox = records().outbox
    with about(task_id):
        if outcome := outbox.take(task_id, attempts):
            outbox.note(outcome, _connections.attempt(outcome))


@signals.worker_ready.connect
@signals.heartbeat_sent.connect
def deliver_what_is_due(**_: object) -> None:
    """Send a message for each attempt that is due: at the end of a task, and now and then in each worker."""
    with suppress(RedisError, KombuError, OSError):  # what cannot be sent now is due again in a moment
        for task_id, attempts in records().outbox.due():
            deliver.apply_async((task_id, attempts), retry=False)


class _Connections(threading.local):
    """What a thread keeps between two attempts: its event loop, and its connections to the receivers."""

    kept: tuple[asyncio.Runner, Caller] | None = None

    def attempt(self, outcome: Outcome) -> Attempted:
        """Make one attempt."""
        runner, caller = self.kept or (asyncio.Runner(), Caller(process_settings(), at_once=1))
        self.kept, task = None, outcome.task
        attempted = runner.run(caller.attempt(task.task_id, httpx.URL(outcome.url), payload(task), outcome.carrier))
        self.kept = runner, caller  # unless a time limit broke in, and left the loop with half an attempt
        return attempted


_connections = _Connections()
