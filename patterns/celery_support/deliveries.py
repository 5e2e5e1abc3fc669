"""How a worker tells outcomes: each attempt is a Celery task of its own, `deliver`.

The outbox in Redis says what is due, and has the next attempt sent when it is time. A worker that dies while it tells
leaves its outcome there, for whoever looks next.
"""

import asyncio
import threading
from collections.abc import Callable
from contextlib import suppress

import httpx
from celery import Celery
from kombu.exceptions import KombuError
from redis.exceptions import RedisError

from patterns.celery_support.brokers import DELIVER
from patterns.contract.settings import Settings
from patterns.observability.logs import about
from patterns.redis_store.outbox import Outcome
from patterns.redis_store.worker_records import WorkerRecords
from patterns.webhooks.attempt import Attempted, Caller, payload

#: An attempt ends by itself, after `KIT_WEBHOOK_TIMEOUT_SECONDS`. One that does not is ended so much later, and one
#: that does not even hear that is killed after as long again. A task's own limits are no measure for it.
_LIMIT_AFTER_SECONDS = 5.0


def add_telling(celery: Celery, settings: Settings, records: Callable[[], WorkerRecords]) -> Callable[[], None]:
    """Add the task `deliver` to the app. Gives what sends a message for each outcome that is due to be told."""
    line = _Line(settings)
    limit = settings.webhook_timeout_seconds + _LIMIT_AFTER_SECONDS

    @celery.task(name=DELIVER, soft_time_limit=limit, time_limit=limit + _LIMIT_AFTER_SECONDS)
    def deliver(task_id: str, attempts: int) -> None:
        """Tell one outcome, if nobody else has: one attempt. The outbox has the next one sent when it is due."""
        outbox = records().outbox
        with about(task_id):
            if outcome := outbox.take(task_id, attempts):
                outbox.note(outcome, line.call(outcome))

    def tell_what_is_due() -> None:
        with suppress(RedisError, KombuError, OSError):  # what cannot be sent now is due again in a moment
            for task_id, attempts in records().outbox.due():
                deliver.apply_async((task_id, attempts), retry=False)

    return tell_what_is_due


class _Line(threading.local):
    """What a thread that tells outcomes keeps between two of them: an event loop, and the connection."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._kept: tuple[asyncio.Runner, Caller] | None = None

    def call(self, outcome: Outcome) -> Attempted:
        """One attempt."""
        if self._kept is None:
            self._kept = asyncio.Runner(), Caller(self._settings, at_once=1)
        (runner, caller), self._kept = self._kept, None
        task = outcome.task
        attempted = runner.run(caller.attempt(task.task_id, httpx.URL(outcome.url), payload(task), outcome.carrier))
        self._kept = runner, caller  # unless a time limit broke in, and left the loop with half an attempt
        return attempted
