"""The Celery application, and the configuration that keeps tasks when a process dies.

Web processes and workers use the same settings, so they cannot disagree. The settings are read when they are first
needed, so that a task can be imported without a broker. The configuration of each broker is in `brokers`.
"""

import os
import sys
from functools import cache
from typing import IO, Any

from celery import Celery
from click import ClickException

from patterns.celery_support.brokers import DELIVER, REDELIVERED_AFTER_SECONDS, over_rabbitmq, over_redis
from patterns.contract.settings import Settings, SettingsError, load_settings

#: A pool process that is still running a task this long after its soft time limit is killed.
HARD_LIMIT_AFTER_SECONDS = 5.0


class NotConfigured(SettingsError, ClickException):
    """A setting is missing or invalid. The `celery` command, which is built on Click, reports it in one line."""

    exit_code = os.EX_CONFIG

    def show(self, file: IO[Any] | None = None) -> None:
        """Print the error. Click calls this before it exits with `exit_code`."""
        print(f"kit: {self}", file=file or sys.stderr)


@cache
def process_settings() -> Settings:
    """The settings of this process, read once. Raises `NotConfigured`."""
    try:
        loaded = load_settings()
    except SettingsError as error:
        raise NotConfigured(str(error)) from None
    if not loaded.redis_url:
        raise NotConfigured("REDIS_URL is not set, but tasks are kept in Redis. Set it to redis://host:port/0.")
    return loaded


def redelivered_after(settings: Settings) -> float:
    """Seconds after which a message that is not acknowledged cannot belong to a living worker."""
    return settings.task_timeout_seconds + HARD_LIMIT_AFTER_SECONDS + REDELIVERED_AFTER_SECONDS


def configuration(settings: Settings) -> dict[str, Any]:
    """Celery's configuration. Options of a single task are set where the task is defined."""
    hard_limit = settings.task_timeout_seconds + HARD_LIMIT_AFTER_SECONDS
    delivery_limit = settings.webhook_timeout_seconds + HARD_LIMIT_AFTER_SECONDS
    broker = (settings.broker_url or str(settings.redis_url)).replace("unix://", "redis+socket://", 1)
    return {
        "broker_url": broker,
        "accept_content": ["json"],
        "worker_concurrency": settings.workers,
        # The outcome is in the record. A result backend would store it twice, and slow down each submit by a third.
        "task_ignore_result": True,
        "result_backend": None,
        # A worker reserves no messages, so that no task waits behind a long one.
        "worker_prefetch_multiplier": 1,
        "task_soft_time_limit": settings.task_timeout_seconds,
        "task_time_limit": hard_limit,
        # An attempt has its own timeout (KIT_WEBHOOK_TIMEOUT_SECONDS). These limits are for one that hangs.
        "task_annotations": {
            DELIVER: {"soft_time_limit": delivery_limit, "time_limit": delivery_limit + HARD_LIMIT_AFTER_SECONDS}
        },
        "broker_connection_retry_on_startup": True,
        "broker_connection_max_retries": None,
        "broker_connection_timeout": 1.0,
        **(over_rabbitmq if broker.startswith("amqp") else over_redis)(settings.key_prefix, hard_limit),
    }


class LazyCelery(Celery):
    """A Celery application that reads its settings when `app.conf` is first needed."""

    def prepare_config(self, c: Any) -> dict[str, Any]:
        """Celery's defaults, updated with `configuration`. Raises `NotConfigured`."""
        return {**(super().prepare_config(c) or {}), **configuration(process_settings())}


celery = LazyCelery("kit")
