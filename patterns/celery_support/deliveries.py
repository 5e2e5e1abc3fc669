"""Callbacks: each attempt to deliver an outcome is a Celery task, `deliver`.

The outbox in Redis stores when each attempt is due. If a worker dies during an attempt, the outcome stays in the
outbox, and another worker delivers it.
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
from patterns.observability.logs import bound_task_id
from patterns.tasks.record import Record
from patterns.web.delivery_routes import callback_refused, check_callback
from patterns.webhooks.sender import Attempt, Sender, pause_after


def allowed_callback_url(url: str | None, settings: Settings) -> str:
    """The URL, or "" if there is none. Raises `RequestValidationError` if this server cannot send callbacks to it."""
    if not url:
        return ""
    if settings.webhook_secret is None:
        raise callback_refused(
            "this server has no KIT_WEBHOOK_SECRET to sign callbacks; set the same one for web processes and workers"
        )
    check_callback(url, settings)
    return url


@celery.task(name=DELIVER, acks_late=True, reject_on_worker_lost=True)
def deliver(task_id: str, attempts_made: int) -> None:
    """Make one attempt, unless another worker has made it. If it fails, the outbox schedules the next one."""
    settings, outbox, number = process_settings(), records().outbox, attempts_made + 1
    with bound_task_id(task_id):
        if record := outbox.take(task_id, attempts_made):
            attempt = _thread_sender.attempt(record)
            if attempt.acknowledged:
                state, pause = DeliveryState.DELIVERED, 0.0
            elif attempt.refused or number >= settings.webhook_attempts:
                state, pause = DeliveryState.DEAD, 0.0
            else:
                state, pause = DeliveryState.WAITING, pause_after(number, attempt, settings)
            outbox.record_attempt(record, attempt.details, state, pause)


@signals.worker_ready.connect
@signals.heartbeat_sent.connect
def send_due_deliveries(**_: object) -> None:
    """Send a message for each attempt that is due: at the end of a task, and at each heartbeat of a worker."""
    with suppress(RedisError, KombuError, OSError):  # they stay due, so the next call sends them
        for task_id, attempts_made in records().outbox.due():
            deliver.apply_async((task_id, attempts_made), retry=False)


class _ThreadSender(threading.local):
    """The event loop and the `Sender` of this thread, which keeps its connections between attempts."""

    idle: tuple[asyncio.Runner, Sender] | None = None

    def attempt(self, record: Record) -> Attempt:
        """Make one attempt."""
        runner, sender = self.idle or (asyncio.Runner(), Sender(process_settings(), max_concurrent=1))
        self.idle = None
        attempt = runner.run(sender.attempt(record))
        self.idle = runner, sender  # not if a time limit interrupted the loop in the middle of an attempt
        return attempt


_thread_sender = _ThreadSender()
