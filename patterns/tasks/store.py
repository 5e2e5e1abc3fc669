"""What every store of task records can do, and the errors that it raises.

A record is written before the answer to submit leaves. Nothing changes it once it is finished.
"""

import hashlib
import secrets
from typing import Protocol

from patterns.contract import Task
from patterns.observability.counters import DeliveryCounters, TaskCounters


class StoreError(Exception):
    """A store could not do what it was asked. The message says why, for the client."""


class QueueFull(StoreError):
    """There are `KIT_QUEUE_SIZE` accepted and unfinished tasks already; nothing was accepted."""

    def __init__(self, unfinished: int) -> None:
        super().__init__(f"{unfinished} tasks are waiting or running, and this server takes no more.")


class KeyReused(StoreError):
    """The same Idempotency-Key came with another body before."""

    def __init__(self) -> None:
        super().__init__("This Idempotency-Key came with another body before. Use a new key for a new request.")


class AlreadyFinished(StoreError):
    """The task is completed or failed, so it cannot be cancelled."""

    def __init__(self, status: str) -> None:
        super().__init__(f"The task is {status} already. Only a waiting or running task can be cancelled.")


class NotADeadLetter(StoreError):
    """The outcome is delivered, or still being delivered, so it cannot be sent again."""

    def __init__(self) -> None:
        super().__init__("Only a delivery that was given up can be sent again.")


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

    async def task_counters(self) -> TaskCounters:
        """How many tasks there are, and how long they take. Raises `Unavailable`."""

    async def dead_letters(self, limit: int) -> list[Task]:
        """The tasks whose delivery was given up, oldest first."""

    async def redeliver(self, task_id: str) -> Task | None:
        """Begin the delivery of a dead letter again; None if there is no such task. Raises `NotADeadLetter`."""

    async def delivery_counters(self) -> DeliveryCounters:
        """How many deliveries there are, and the outcome of their attempts. Raises `Unavailable`."""


def new_task_id() -> str:
    """A task id that cannot be guessed."""
    return secrets.token_hex(16)


def fingerprint(*parts: str | None) -> bytes:
    """What tells two requests apart: the same parts have the same fingerprint."""
    return hashlib.blake2b("\n".join(part or "" for part in parts).encode(), digest_size=16).digest()
