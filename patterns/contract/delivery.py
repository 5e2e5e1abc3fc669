"""A callback on its way: what is sent, every attempt, and how far the delivery is."""

from datetime import datetime
from enum import StrEnum

from pydantic import BaseModel, ConfigDict
from pydantic.config import JsonDict

from patterns.contract.task import EXAMPLE_TASK, Task

EXAMPLE_DELIVERY: JsonDict = {"state": "waiting", "attempts": [], "next_attempt_at": None, "last_error": None}


class DeliveryState(StrEnum):
    """How far the server is with telling the outcome."""

    WAITING = "waiting"  # the task is not finished, or the next attempt is due later
    DELIVERED = "delivered"  # the receiver answered 2xx
    DEAD = "dead"  # given up; kept, and can be sent again


class DeliveryAttempt(BaseModel):
    """One POST to the callback URL."""

    at: datetime
    status_code: int | None = None
    error: str | None = None


class Delivery(BaseModel):
    """The callback of one task, and every attempt so far."""

    state: DeliveryState
    attempts: list[DeliveryAttempt] = []
    next_attempt_at: datetime | None = None
    last_error: str | None = None


class WebhookTask(Task):
    """A task whose outcome is POSTed to its client."""

    model_config = ConfigDict(json_schema_extra={"examples": [EXAMPLE_TASK | {"delivery": EXAMPLE_DELIVERY}]})

    delivery: Delivery


class Callback(Task):
    """The body of the POST to a callback URL: the finished task.

    A result that would make it longer than Standard Webhooks advises (20 kB) is left out, and is at `result_at`.
    """

    result_at: str | None = None
