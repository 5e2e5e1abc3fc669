"""The words on the wire.

Everything a client or a server must agree on is defined here once. Nothing here imports a web framework,
so the benchmark, the tests and the command line can use the words without starting a server.
"""

from patterns.contract.delivery import (
    EXAMPLE_DELIVERY,
    Callback,
    Delivery,
    DeliveryAttempt,
    DeliveryState,
    WebhookTask,
)
from patterns.contract.problem import Health, Problem
from patterns.contract.submit import CallbackSubmitRequest, SubmitRequest, WebhookSubmitRequest
from patterns.contract.task import (
    EXAMPLE_NEW_TASK,
    EXAMPLE_TASK,
    FINISHED,
    ErrorCode,
    Task,
    TaskError,
    TaskStatus,
)

__all__ = [
    "EXAMPLE_DELIVERY",
    "EXAMPLE_NEW_TASK",
    "EXAMPLE_TASK",
    "FINISHED",
    "Callback",
    "CallbackSubmitRequest",
    "Delivery",
    "DeliveryAttempt",
    "DeliveryState",
    "ErrorCode",
    "Health",
    "Problem",
    "SubmitRequest",
    "Task",
    "TaskError",
    "TaskStatus",
    "WebhookSubmitRequest",
    "WebhookTask",
]
