"""Callbacks: each attempt to deliver an outcome is a Celery task, `deliver`.

The outbox in Redis knows what is due, and when the next attempt is. A worker that dies during an attempt leaves the
outcome there, and another worker delivers it.
"""

import asyncio
import threading
from contextlib import suppress

from celery import signals
from kombu.exceptions import KombuError
from redis.exceptions import RedisError

from patterns.celery_support.app import celery, process_settings
from patterns.celery_support.brokers import DELIVER
from patterns.celery_support.worker import records
from patterns.contract import DeliveryState
from patterns.contract.settings import Settings
from patterns.observability.logs import about
from patterns.tasks.record import Record
from patterns.web.delivery_routes import callback_refused, check_callback
from patterns.webhooks.sender import Attempt, Sender, pause_after


def allowed_callback_url(url: str | None, settings: Settings) -> str:
    """The URL, or "" if there is none. Raises `RequestValidationError` if this server may not or cannot call it."""
    if not url:
        return ""
    if settings.webhook_secret is None:
        raise callback_refused("set KIT_WEBHOOK_SECRET, the same for web processes and workers: callbacks are signed")
    check_callback(url, settings)
    return url


@celery.task(name=DELIVER, acks_late=True, reject_on_worker_lost=True)
def deliver(task_id: str, attempts_made: int) -> None:
    """Make one attempt, unless another worker has made it. The outbox has the next one sent when it is due."""
    settings, outbox, number = process_settings(), records().outbox, attempts_made + 1
    with about(task_id):
        if record := outbox.take(task_id, attempts_made):
            attempt = _connections.attempt(record)
            if attempt.acknowledged:
                outbox.note(record, attempt.made, DeliveryState.DELIVERED)
            elif attempt.refused or number >= settings.webhook_attempts:
                outbox.note(record, attempt.made, DeliveryState.DEAD)
            else:
                outbox.note(record, attempt.made, DeliveryState.WAITING, pause_after(number, attempt, settings))


@signals.worker_ready.connect
@signals.heartbeat_sent.connect
def deliver_what_is_due(**_: object) -> None:
    """Send a message for each attempt that is due: at the end of a task, and now and then in each worker."""
    with suppress(RedisError, KombuError, OSError):  # what cannot be sent now is due again in a moment
        for task_id, attempts_made in records().outbox.due():
            deliver.apply_async((task_id, attempts_made), retry=False)


class _Connections(threading.local):
    """What a thread keeps between two attempts: its event loop, and its connections to the receivers."""

    kept: tuple[asyncio.Runner, Sender] | None = None

    def attempt(self, record: Record) -> Attempt:
        """Make one attempt."""
        runner, sender = self.kept or (asyncio.Runner(), Sender(process_settings(), at_once=1))
        self.kept = None
        attempt = runner.run(sender.attempt(record))
        self.kept = runner, sender  # unless a time limit interrupted it, and left the loop with half an attempt
        return attempt


_connections = _Connections()
