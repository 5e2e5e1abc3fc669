"""The Celery application: the settings that keep a task when something dies.

Web processes and workers make it from the same settings, so they cannot disagree. What a broker needs to be told
beside that is in `celery_brokers`.
"""

from celery import Celery

from patterns.celery_support.brokers import REDELIVERED_AFTER_SECONDS, over_rabbitmq, over_redis
from patterns.contract.settings import Settings, SettingsError

#: A worker that ignores its soft time limit for this long is killed.
HARD_LIMIT_AFTER_SECONDS = 5.0


def redelivered_after(settings: Settings) -> float:
    """Seconds after which no living worker can have a task's message in hand any more."""
    return settings.task_timeout_seconds + HARD_LIMIT_AFTER_SECONDS + REDELIVERED_AFTER_SECONDS


def celery_app(settings: Settings) -> Celery:
    """A Celery application with the settings that keep a task when something dies."""
    hard_limit = settings.task_timeout_seconds + HARD_LIMIT_AFTER_SECONDS
    broker = _broker_url(settings)
    app = Celery("kit", broker=broker)
    app.conf.update(
        accept_content=["json"],
        worker_concurrency=settings.workers,
        # The record tells the outcome. A result backend would be a second truth, and costs each submit a third.
        task_ignore_result=True,
        result_backend=None,
        # Acknowledged when done, and put back when its process dies: a killed worker's task is run again.
        task_acks_late=True,
        task_reject_on_worker_lost=True,
        # A worker holds no message that it is not working on, so that nothing waits behind a long task.
        worker_prefetch_multiplier=1,
        task_soft_time_limit=settings.task_timeout_seconds,
        task_time_limit=hard_limit,
        broker_connection_retry_on_startup=True,
        broker_connection_max_retries=None,
        broker_connection_timeout=1.0,
    )
    app.conf.update((over_rabbitmq if broker.startswith("amqp") else over_redis)(settings.key_prefix, hard_limit))
    return app


def _broker_url(settings: Settings) -> str:
    url = settings.broker_url or settings.redis_url
    if not url:
        raise SettingsError("REDIS_URL is not set, and Celery needs a broker. `kit serve celery_queue` brings its own.")
    return url.replace("unix://", "redis+socket://", 1)
