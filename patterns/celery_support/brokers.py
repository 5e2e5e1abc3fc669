"""The two supported brokers, Redis and RabbitMQ, and the configuration of each.

Over Redis, a dead worker's message is redelivered after the visibility timeout. RabbitMQ redelivers it as soon as the
worker's connection is closed.
"""

from typing import Any

from kombu.entity import Exchange, Queue
from kombu.transport import TRANSPORT_ALIASES
from kombu.transport import redis as kombu_redis
from redis.exceptions import ConnectionError as RedisConnectionError

#: The name of the task that delivers a callback. It has its own queue, so that no delivery waits behind an agent.
#: A worker consumes both queues, or one of them with Celery's `-Q`.
DELIVER = "kit.deliver"
#: How much longer than the hard time limit the visibility timeout of Redis is. If it were shorter than the limit, a
#: task that is still running would run a second time (celery#5935).
REDELIVERED_AFTER_SECONDS = 5.0
#: RabbitMQ closes the connection of a worker after two missed heartbeats, and redelivers its messages.
HEARTBEAT_SECONDS = 10


class Channel(kombu_redis.Channel):
    """kombu's channel, with a fix: a worker survives if the broker is lost at the moment when a task ends.

    To acknowledge the message on the closed connection raises an AttributeError in kombu 5.7, which ends the worker
    (kombu#582). After a connection error it reconnects.
    """

    def _connparams(self, asynchronous: bool = False) -> Any:
        if self.connection.client is None:
            raise RedisConnectionError("the connection to the broker is closed")
        return super()._connparams(asynchronous)


class Transport(kombu_redis.Transport):
    """kombu's Redis transport, with the channel above."""

    Channel = Channel


TRANSPORT_ALIASES |= dict.fromkeys(("redis", "rediss"), "patterns.celery_support.brokers:Transport")


def over_redis(prefix: str, hard_limit: float) -> dict[str, Any]:
    """Celery's settings for Redis. `hard_limit` is in seconds."""
    return {
        "task_queues": [Queue("agent"), Queue("deliveries")],
        "task_default_queue": "agent",
        "task_routes": {DELIVER: {"queue": "deliveries"}},
        # A worker fetches a message only when one of its pool processes is free.
        "worker_disable_prefetch": True,
        "broker_transport_options": {
            "global_keyprefix": prefix,
            "visibility_timeout": hard_limit + REDELIVERED_AFTER_SECONDS,
            "unacked_restore_interval": 1,
            "unacked_restore_throttle": 1,
            # A lock: one worker at a time restores messages. If it is killed, the next one waits 5 s, not 300 s.
            "unacked_mutex_expire": 5,
        },
    }


def over_rabbitmq(prefix: str, hard_limit: float) -> dict[str, Any]:
    """Celery's settings for RabbitMQ: quorum queues, which write a message to disk before they confirm it.

    Celery detects quorum queues (`worker_detect_quorum_queues`) and avoids what they do not support: a global prefetch
    count, and messages with an ETA, for which it declares delayed queues. `hard_limit` is in seconds.
    """
    name, deliveries = f"{prefix}agent", f"{prefix}deliveries"
    return {
        "task_default_queue": name,
        "task_default_queue_type": "quorum",
        "task_default_exchange": name,
        "task_default_exchange_type": "topic",
        "task_default_routing_key": name,
        "task_create_missing_queue_type": "quorum",
        "task_queues": [_quorum_queue(name, hard_limit), _quorum_queue(deliveries, hard_limit)],
        "task_routes": {DELIVER: {"queue": deliveries}},
        "broker_heartbeat": HEARTBEAT_SECONDS,
        # When a connection is lost, RabbitMQ redelivers its messages at once. So the worker stops their tasks, because
        # no task may run twice at the same time. These runs are not counted.
        "worker_cancel_long_running_tasks_on_connection_loss": True,
        # After a 202 the message is in the queue, and not only in a socket's buffer.
        "broker_transport_options": {"confirm_publish": True},
    }


def _quorum_queue(name: str, hard_limit: float) -> Queue:
    return Queue(
        name,
        # Celery's delayed queues require a topic exchange.
        Exchange(name, type="topic"),
        routing_key=name,
        # These must not depend on a setting: RabbitMQ refuses to declare an existing queue with other arguments.
        # A poison task fails after MAX_RUNS. RabbitMQ 4 would silently drop its message at the 21st delivery, and each
        # deploy of a worker counts as one.
        queue_arguments={"x-queue-type": "quorum", "x-delivery-limit": 1_000_000},
        # By default RabbitMQ redelivers a message that is not acknowledged for 30 minutes. Versions before 3.12 ignore
        # this argument: there, consumer_timeout in rabbitmq.conf must be longer than the longest task.
        consumer_arguments={"x-consumer-timeout": int(max(1800.0, 2 * hard_limit) * 1000)},
    )
