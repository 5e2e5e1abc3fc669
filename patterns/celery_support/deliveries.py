"""How a worker delivers outcomes: each attempt is a Celery task of its own, `deliver`.

The outbox in Redis says what is due, and has the next attempt sent when it is time. A worker that dies during an
attempt leaves its outcome there, for the next worker that looks.
"""

import asyncio
import threading
from collections.abc import Callable
from contextlib import suppress

from celery import Celery
from kombu.exceptions import KombuError
from redis.exceptions import RedisError

from patterns.celery_support.brokers import DELIVER
from patterns.contract import DeliveryState
from patterns.contract.settings import Settings
from patterns.observability.logs import about
from patterns.redis_store.worker_records import WorkerRecords
from patterns.tasks.record import Record
from patterns.webhooks.sender import Attempt, Sender, pause_after

#: An attempt ends by itself, after `KIT_WEBHOOK_TIMEOUT_SECONDS`. One that does not is interrupted so much later, and
#: killed after as long again if it goes on. A task's own limits are no measure for it.
_LIMIT_AFTER_SECONDS = 5.0


def add_telling(celery: Celery, settings: Settings, records: Callable[[], WorkerRecords]) -> Callable[[], None]:
    """Add the task `deliver` to the app. Gives what sends a message for each outcome that is due."""
    sender = _ThreadSender(settings)
    limit = settings.webhook_timeout_seconds + _LIMIT_AFTER_SECONDS

    @celery.task(name=DELIVER, soft_time_limit=limit, time_limit=limit + _LIMIT_AFTER_SECONDS)
    def deliver(task_id: str, attempts_made: int) -> None:
        """Make one attempt, unless another worker has. The outbox has the next one sent when it is due."""
        outbox, number = records().outbox, attempts_made + 1
        with about(task_id):
            if record := outbox.take(task_id, attempts_made):
                attempt = sender.attempt(record)
                if attempt.acknowledged:
                    outbox.note(record, attempt.made, DeliveryState.DELIVERED)
                elif attempt.refused or number >= settings.webhook_attempts:
                    outbox.note(record, attempt.made, DeliveryState.DEAD)
                else:
                    outbox.note(record, attempt.made, DeliveryState.WAITING, pause_after(number, attempt, settings))

    def tell_what_is_due() -> None:
        with suppress(RedisError, KombuError, OSError):  # what cannot be sent now is due again in a moment
            for task_id, attempts_made in records().outbox.due():
                deliver.apply_async((task_id, attempts_made), retry=False)

    return tell_what_is_due


class _ThreadSender(threading.local):
    """What a thread that delivers outcomes keeps between two of them: an event loop, and the connection."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._kept: tuple[asyncio.Runner, Sender] | None = None

    def attempt(self, record: Record) -> Attempt:
        """One attempt."""
        if self._kept is None:
            self._kept = asyncio.Runner(), Sender(self._settings, at_once=1)
        (runner, sender), self._kept = self._kept, None
        attempt = runner.run(sender.attempt(record))
        self._kept = runner, sender  # unless a time limit interrupted it, and left the loop with half an attempt
        return attempt
