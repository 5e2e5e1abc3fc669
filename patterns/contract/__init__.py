"""The wire contract: every model, setting and error that clients and servers must agree on, defined once.

Nothing here imports a web framework, so benchmarks, tests and the command line can use it without starting a server.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
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

_MODULES = ("task", "submit", "problem", "delivery")


def __getattr__(name: str) -> Any:
    """Import a name when it is first used: every `kit` command imports this package, and few of them need pydantic."""
    if name in __all__:
        for module in _MODULES:
            names = vars(importlib.import_module(f"{__name__}.{module}"))
            if name in names:
                return names[name]
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
