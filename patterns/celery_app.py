"""The Celery application: the settings that keep a task when something dies.

Web processes and workers make it from the same settings, so they cannot disagree.
"""

from typing import Any

from celery import Celery
from kombu.entity import Queue
from kombu.transport import TRANSPORT_ALIASES
from kombu.transport import redis as kombu_redis
from redis.exceptions import ConnectionError as RedisConnectionError

from patterns.settings import Settings, SettingsError

#: The queue of those messages that have an outcome told.
DELIVERIES = "deliveries"
#: A worker that ignores its soft time limit for this long is killed.
HARD_LIMIT_AFTER_SECONDS = 5.0


class Channel(kombu_redis.Channel):
    """kombu's own, except that a worker survives losing the broker just when a task ends.

    The message can then not be acknowledged, the connection is closed already, and kombu 5.7 trips over it with
    an AttributeError that ends the worker (kombu#582). A connection error lets it connect again.
    """

    def _connparams(self, asynchronous: bool = False) -> Any:
        if self.connection.client is None:
            raise RedisConnectionError("the connection to the broker is closed")
        return super()._connparams(asynchronous)


class Transport(kombu_redis.Transport):
    """Redis, by the channel above."""

    Channel = Channel


TRANSPORT_ALIASES |= dict.fromkeys(("redis", "rediss"), "patterns.celery_app:Transport")


def redelivered_after(settings: Settings) -> float:
    """Seconds after which a message that is not acknowledged belongs to a dead worker, and is given to another.

    Longer than any run may take, or a task that is alive would be run twice (celery#5935); no longer, or a dead one's
    would wait.
    """
    return settings.task_timeout_seconds + HARD_LIMIT_AFTER_SECONDS + 5


def celery_app(settings: Settings) -> Celery:
    """A Celery application with the settings that keep a task when something dies."""
    hard_limit = settings.task_timeout_seconds + HARD_LIMIT_AFTER_SECONDS
    app = Celery("kit", broker=_broker_url(settings))
    app.conf.update(
        # Outcomes are told beside the work, and wait for no task. A worker takes from both, or from one with -Q.
        task_queues=[Queue("agent"), Queue(DELIVERIES)],
        task_default_queue="agent",
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
        worker_disable_prefetch=True,
        task_soft_time_limit=settings.task_timeout_seconds,
        task_time_limit=hard_limit,
        worker_soft_shutdown_timeout=settings.grace_seconds,
        broker_connection_retry_on_startup=True,
        broker_connection_max_retries=None,
        broker_connection_timeout=1.0,
        broker_transport_options={
            "global_keyprefix": settings.key_prefix,
            "visibility_timeout": redelivered_after(settings),
            "unacked_restore_interval": 1,
            "unacked_restore_throttle": 1,
            # One process at a time puts back. If it is killed meanwhile, the next one waits so long, not 300 s.
            "unacked_mutex_expire": 5,
        },
    )
    return app


def _broker_url(settings: Settings) -> str:
    url = settings.broker_url or settings.redis_url
    if not url:
        raise SettingsError("REDIS_URL is not set, and Celery needs a broker. `kit serve celery_queue` brings its own.")
    return url.replace("unix://", "redis+socket://", 1)
