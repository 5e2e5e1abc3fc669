"""What a worker does about tasks that the broker has lost: it came back without its data, the records did not."""

import time
from collections.abc import Callable
from contextlib import suppress

from celery import Celery
from kombu.exceptions import KombuError
from redis.exceptions import RedisError

from patterns.contract import ErrorCode
from patterns.redis_store import WorkerRecords


class Losses:
    """The tasks of which the broker may have no message any more.

    A message that is only late is in the queue. One that a worker holds becomes a run before any worker may be dead,
    which takes it `long` seconds.
    """

    def __init__(self, celery: Celery, long: float, records: Callable[[], WorkerRecords]) -> None:
        self._celery = celery
        self._long = long
        self._records = records
        #: The tasks that do not move while nothing is in the queue, and since when, on time.monotonic().
        self._left_over: dict[str, float] = {}

    def give_up(self) -> None:
        """End those that have not moved for long, while nothing was in the queue."""
        with suppress(RedisError, KombuError, OSError):
            unmoved, now = self._records().unmoved(self._long), time.monotonic()
            left_over = unmoved if unmoved and self._queue_is_empty() else []
            self._left_over = {task_id: self._left_over.get(task_id, now) for task_id in left_over}
            for task_id, since in self._left_over.items():
                if now - since > self._long:
                    self._records().fail(
                        task_id, ErrorCode.WORKER_LOST, "Its worker is gone, and the broker has lost it."
                    )

    def _queue_is_empty(self) -> bool:
        with self._celery.connection_for_write() as connection:
            # Passive asks without making one, which RabbitMQ would compare with the one that it has. For Redis a queue
            # is a list, and kombu looks for it under the wrong name where there is a prefix.
            passive = connection.transport.driver_type == "amqp"
            name = self._celery.conf.task_default_queue
            try:
                queue = connection.default_channel.queue_declare(name, passive=passive)
            except connection.channel_errors:
                return True  # the broker has lost the queue too
        return bool(queue.message_count == 0)
