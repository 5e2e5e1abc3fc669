"""The interface of a store of task records, and its errors.

A record is written before the response to the submit is sent, and never changes once the task is finished.
"""

import hashlib
import secrets
from typing import Protocol

from patterns.contract import Task
from patterns.observability.counters import DeliveryCounters, TaskCounters


class StoreError(Exception):
    """The store refused an operation. The message says why, for the client."""


class QueueFull(StoreError):
    """There are `KIT_QUEUE_SIZE` unfinished tasks already; nothing was accepted."""

    def __init__(self, unfinished: int) -> None:
        super().__init__(f"{unfinished} tasks are waiting or running, and this server accepts no more. Retry later.")


class KeyReused(StoreError):
    """The Idempotency-Key was used with a different body before."""

    def __init__(self) -> None:
        super().__init__("This Idempotency-Key was used with a different body. Use a new key for a new request.")


class AlreadyFinished(StoreError):
    """The task is completed or failed, so it cannot be cancelled."""

    def __init__(self, status: str) -> None:
        super().__init__(f"The task is already {status}. Only a pending or running task can be cancelled.")


class NotADeadLetter(StoreError):
    """The delivery was not given up, so it cannot be started again."""

    def __init__(self) -> None:
        super().__init__("This delivery was not given up. Only a dead letter can be redelivered.")


class Unavailable(StoreError):
    """The store or the broker cannot be reached, or the server is stopping."""


class TaskStore(Protocol):
    """What the shared routes need from a store. Every method may raise `Unavailable`."""

    async def get(self, task_id: str) -> Task | None:
        """The task, or None if the id never existed or its record has expired."""

    async def wait(self, task_id: str, seconds: float) -> Task | None:
        """The task as soon as it is finished, or after `seconds` as it is then. None as in `get`."""

    async def cancel(self, task_id: str) -> Task | None:
        """Cancel the task, and return it. None as in `get`. Raises `AlreadyFinished` if it completed or failed."""

    async def check(self) -> None:
        """Raise `Unavailable` if the store cannot be used."""

    async def task_counters(self) -> TaskCounters:
        """The number of tasks, and how long they waited and ran."""

    async def dead_letters(self, limit: int) -> list[Task]:
        """Up to `limit` tasks whose delivery was given up, oldest first."""

    async def redeliver(self, task_id: str) -> Task | None:
        """Start the delivery of a dead letter again. None as in `get`. Raises `NotADeadLetter`."""

    async def delivery_counters(self) -> DeliveryCounters:
        """The number of deliveries, and the outcomes of their attempts."""


def new_task_id() -> str:
    """A task id that cannot be guessed."""
    return secrets.token_hex(16)


def fingerprint(*parts: str | None) -> bytes:
    """A hash of 16 bytes: equal parts have equal fingerprints."""
    return hashlib.blake2b("\n".join(part or "" for part in parts).encode(), digest_size=16).digest()
