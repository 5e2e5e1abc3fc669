"""How a worker tells outcomes: each attempt is a Celery task of its own, `deliver`.

The outbox in Redis says what is due, and has the next attempt sent when it is time. A worker that dies while it tells
leaves its outcome there, for whoever looks next.
"""

import asyncio
from collections.abc import Callable
from contextlib import suppress

import httpx
from celery import Celery
from kombu.exceptions import KombuError
from redis.exceptions import RedisError

from patterns.calling import Attempted, Caller, payload
from patterns.celery_brokers import DELIVER
from patterns.logs import about
from patterns.redis_outbox import Outcome
from patterns.redis_store import WorkerRecords
from patterns.settings import Settings


def add_telling(celery: Celery, settings: Settings, records: Callable[[], WorkerRecords]) -> Callable[[], None]:
    """Add the task `deliver` to the app. Gives what sends a message for each outcome that is due to be told."""

    @celery.task(name=DELIVER)
    def deliver(task_id: str, attempts: int) -> None:
        """Tell one outcome, if nobody else has: one attempt. The outbox has the next one sent when it is due."""
        outbox = records().outbox
        with about(task_id):
            if outcome := outbox.take(task_id, attempts):
                outbox.note(outcome, asyncio.run(_call(settings, outcome)))

    def tell_what_is_due() -> None:
        with suppress(RedisError, KombuError, OSError):  # what cannot be sent now is due again in a moment
            for task_id, attempts in records().outbox.due():
                deliver.apply_async((task_id, attempts), retry=False)

    return tell_what_is_due


async def _call(settings: Settings, outcome: Outcome) -> Attempted:
    caller, task = Caller(settings, at_once=1), outcome.task
    try:
        return await caller.attempt(task.task_id, httpx.URL(outcome.url), payload(task), outcome.carrier)
    finally:
        await caller.aclose()
