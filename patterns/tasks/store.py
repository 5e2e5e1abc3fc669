"""What every store of task records can do, and how it refuses.

A record is written before the answer to submit leaves. Nothing changes it once it is finished.
"""

import hashlib
import secrets
from typing import Protocol

from patterns.contract import Task
from patterns.observability.counters import TaskFigures


class StoreError(Exception):
    """A store could not do what it was asked. The message says why, for the client."""


class QueueFull(StoreError):
    """There are `KIT_QUEUE_SIZE` accepted and unfinished tasks already; nothing was accepted."""


class KeyReused(StoreError):
    """The same Idempotency-Key came with another body before."""


class AlreadyFinished(StoreError):
    """The task is completed or failed, so it cannot be cancelled."""


class NotADeadLetter(StoreError):
    """The outcome was told, or is still being told, so it cannot be sent again."""


class Unavailable(StoreError):
    """The store or the broker cannot be reached now."""


class TaskStore(Protocol):
    """What the routes that all patterns share need from a store."""

    async def get(self, task_id: str) -> Task | None:
        """The task, or None if the id was never given out or its record has expired."""

    async def wait(self, task_id: str, seconds: float) -> Task | None:
        """The task as soon as it is finished, or as it is after `seconds`."""

    async def cancel(self, task_id: str) -> Task | None:
        """End the task as cancelled; None if there is none. Raises `AlreadyFinished`."""

    async def check(self) -> None:
        """Raise `Unavailable` when the store cannot be used."""

    async def figures(self) -> TaskFigures:
        """How many tasks there are, and how long they take. Raises `Unavailable`."""


def new_task_id() -> str:
    """A task id that cannot be guessed."""
    return secrets.token_hex(16)


def fingerprint(body: str) -> bytes:
    """What tells two request bodies apart: the same text has the same fingerprint."""
    return hashlib.blake2b(body.encode(), digest_size=16).digest()
