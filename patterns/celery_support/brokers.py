"""The two brokers that can carry the messages, and the configuration that each needs.

Redis gives a dead worker's message to another when it has not been acknowledged for long; RabbitMQ does so as soon as
the worker's connection is gone.
"""

from typing import Any

from kombu.entity import Exchange, Queue
from kombu.transport import TRANSPORT_ALIASES
from kombu.transport import redis as kombu_redis
from redis.exceptions import ConnectionError as RedisConnectionError

#: The name of the task that delivers a callback. It has its own queue, so that no delivery waits behind an agent. A
#: worker takes from both queues, or from one of them with Celery's `-Q`.
DELIVER = "kit.deliver"
#: Over Redis a message that is not acknowledged so long after a run's hard limit belongs to a dead worker. Any sooner,
#: and a task that is alive would be run twice (celery#5935).
REDELIVERED_AFTER_SECONDS = 5.0
#: A worker whose host has gone is noticed after two of these, and its tasks are given to others.
HEARTBEAT_SECONDS = 10


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


TRANSPORT_ALIASES |= dict.fromkeys(("redis", "rediss"), "patterns.celery_support.brokers:Transport")


def over_redis(prefix: str, hard_limit: float) -> dict[str, Any]:
    """Celery's settings for Redis."""
    return {
        "task_queues": [Queue("agent"), Queue("deliveries")],
        "task_default_queue": "agent",
        "task_routes": {DELIVER: {"queue": "deliveries"}},
        # The worker asks for a message only when one of its processes is free.
        "worker_disable_prefetch": True,
        "broker_transport_options": {
            "global_keyprefix": prefix,
            "visibility_timeout": hard_limit + REDELIVERED_AFTER_SECONDS,
            "unacked_restore_interval": 1,
            "unacked_restore_throttle": 1,
            # One process at a time puts messages back. If it is killed meanwhile, the next waits 5 s, not 300 s.
            "unacked_mutex_expire": 5,
        },
    }


def over_rabbitmq(prefix: str, hard_limit: float) -> dict[str, Any]:
    """Celery's settings for RabbitMQ: a quorum queue, which is on disk before a message is confirmed.

    Celery itself detects what a quorum queue cannot do (`worker_detect_quorum_queues`): a prefetch count for the
    whole channel, and messages with an ETA, for which it declares delayed queues.
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
        # When the connection is lost, RabbitMQ puts the message back at once. The run that has lost it ends, so that
        # no task is run twice at the same time; it is not counted, because nothing was wrong with it.
        "worker_cancel_long_running_tasks_on_connection_loss": True,
        # A submit that was answered with 202 is in the queue, and not in a socket's buffer.
        "broker_transport_options": {"confirm_publish": True},
    }


def _quorum_queue(name: str, hard_limit: float) -> Queue:
    return Queue(
        name,
        # Celery's delayed queues can lead back to a topic exchange only.
        Exchange(name, type="topic"),
        routing_key=name,
        # RabbitMQ refuses a queue whose arguments differ from those it was first declared with: no setting of ours
        # may change them. A poison task ends by MOST_RUNS, which its record reports. RabbitMQ 4 would silently drop
        # a message at the 21st delivery, and count a worker's deploy as a delivery.
        queue_arguments={"x-queue-type": "quorum", "x-delivery-limit": 1_000_000},
        # RabbitMQ takes a message away from a consumer that has not acknowledged it for 30 minutes. Before 3.12 it
        # knows no such argument: there, consumer_timeout in rabbitmq.conf must be longer than the longest task.
        consumer_arguments={"x-consumer-timeout": int(max(1800.0, 2 * hard_limit) * 1000)},
    )
