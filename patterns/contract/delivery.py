"""Callbacks: the body that is sent, and the state of its delivery with every attempt."""

from datetime import datetime
from enum import StrEnum

from pydantic import BaseModel, ConfigDict
from pydantic.config import JsonDict

from patterns.contract.task import EXAMPLE_TASK, Task

EXAMPLE_DELIVERY: JsonDict = {"state": "waiting", "attempts": [], "next_attempt_at": None, "last_error": None}


class DeliveryState(StrEnum):
    """The state of the delivery of an outcome."""

    WAITING = "waiting"  # the task is not finished, or the next attempt is due later
    DELIVERED = "delivered"  # the receiver responded with 2xx
    DEAD = "dead"  # given up: a dead letter, which is kept and can be redelivered


class DeliveryAttempt(BaseModel):
    """One POST to the callback URL."""

    at: datetime
    status_code: int | None = None
    error: str | None = None


class Delivery(BaseModel):
    """The delivery of one task's outcome, with the attempts so far."""

    state: DeliveryState
    attempts: list[DeliveryAttempt] = []
    next_attempt_at: datetime | None = None
    last_error: str | None = None


class WebhookTask(Task):
    """A task with a callback URL: its outcome is POSTed to the client."""

    model_config = ConfigDict(json_schema_extra={"examples": [EXAMPLE_TASK | {"delivery": EXAMPLE_DELIVERY}]})

    delivery: Delivery


class Callback(Task):
    """The body of the POST to a callback URL: the finished task.

    If the body would be longer than Standard Webhooks recommends (20 kB), `result` is null and `result_at` is the path
    where it can be fetched.
    """

    result_at: str | None = None
