"""The Celery application, and the settings that keep a task when something dies.

Web processes and workers build it from the same settings, so they cannot disagree. The settings are read when they are
first needed: importing a task needs no broker. What each broker needs in addition is in `brokers`.
"""

import os
import sys
from functools import cache
from typing import IO, Any

from celery import Celery
from click import ClickException

from patterns.celery_support.brokers import DELIVER, REDELIVERED_AFTER_SECONDS, over_rabbitmq, over_redis
from patterns.contract.settings import Settings, SettingsError, load_settings

#: A worker process that ignores a task's soft time limit for this long is killed.
HARD_LIMIT_AFTER_SECONDS = 5.0


class NotConfigured(SettingsError, ClickException):
    """A setting is missing or wrong. The `celery` command, which is built on Click, reports it in one line."""

    exit_code = os.EX_CONFIG

    def show(self, file: IO[Any] | None = None) -> None:
        """What Click calls before it exits with `exit_code`."""
        print(f"kit: {self}", file=file or sys.stderr)


@cache
def process_settings() -> Settings:
    """The settings of this process, read once. Raises `NotConfigured`."""
    try:
        loaded = load_settings()
    except SettingsError as error:
        raise NotConfigured(str(error)) from None
    if not loaded.redis_url:
        raise NotConfigured("REDIS_URL is not set, and records need a Redis. Set it to redis://host:port/0.")
    return loaded


def redelivered_after(settings: Settings) -> float:
    """Seconds after which no living worker can still be working on a task's message."""
    return settings.task_timeout_seconds + HARD_LIMIT_AFTER_SECONDS + REDELIVERED_AFTER_SECONDS


def configuration(settings: Settings) -> dict[str, Any]:
    """Celery's configuration. What concerns one task only is set where that task is defined."""
    hard_limit = settings.task_timeout_seconds + HARD_LIMIT_AFTER_SECONDS
    delivery_limit = settings.webhook_timeout_seconds + HARD_LIMIT_AFTER_SECONDS
    broker = (settings.broker_url or str(settings.redis_url)).replace("unix://", "redis+socket://", 1)
    return {
        "broker_url": broker,
        "accept_content": ["json"],
        "worker_concurrency": settings.workers,
        # The record holds the outcome. A result backend would hold it again, and cost each submit a third.
        "task_ignore_result": True,
        "result_backend": None,
        # A worker holds no message that it is not working on, so that nothing waits behind a long task.
        "worker_prefetch_multiplier": 1,
        "task_soft_time_limit": settings.task_timeout_seconds,
        "task_time_limit": hard_limit,
        # An attempt ends by itself after `KIT_WEBHOOK_TIMEOUT_SECONDS`: these limits end one that does not.
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
        """What Celery would use, and `configuration`. Raises `NotConfigured`."""
        return {**(super().prepare_config(c) or {}), **configuration(process_settings())}


celery = LazyCelery("kit")
