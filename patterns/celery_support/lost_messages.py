"""What a worker does about messages that are lost: the record is still there, so it sends them again.

A broker may come back without its data. And over Redis a worker that dies just when it takes a message, before it has
noted that it has it, takes the message with it: kombu asks for one with BRPOP, and writes it down afterwards.
"""

import logging
import time
from collections.abc import Callable, Sequence
from contextlib import suppress

from celery import Celery
from kombu.exceptions import KombuError
from redis.exceptions import RedisError

from patterns.observability.tracing import Carrier
from patterns.redis_store.worker_records import WorkerRecords

logger = logging.getLogger("longjobs")

#: So often within the time that a message is given. A thousand workers that looked at each heartbeat would keep Redis
#: busy with the tasks that only wait.
_LOOKS = 10

#: A task id, its prompt, whether its outcome is to be told, and what continues its trace in a worker.
Message = tuple[str, str, bool, Carrier]


class Losses:
    """The tasks of which the broker may have no message any more.

    A message that is only late is in the queue, and nothing that was sent after it has been taken. One that a worker
    holds becomes a run before any worker may be dead, which takes it `long` seconds.

    Should the message be there after all, because it was put back behind others, the task has two. The second finds it
    finished, or at worst runs it again, as any redelivery may.
    """

    def __init__(
        self,
        celery: Celery,
        long: float,
        records: Callable[[], WorkerRecords],
        publish: Callable[[Sequence[Message]], None],
    ) -> None:
        self._celery = celery
        self._long = long
        self._records = records
        self._publish = publish
        #: The tasks that do not move though their turn has come, and since when, on time.monotonic().
        self._left_over: dict[str, float] = {}
        self._looked = -long

    def send_again(self) -> None:
        """Send the messages of those that have not moved for long, though their turn had come. Called often."""
        now = time.monotonic()
        if now - self._looked < self._long / _LOOKS:
            return
        self._looked = now
        with suppress(RedisError, KombuError, OSError):
            overtaken, others = self._records().unmoved(self._long)
            left_over = overtaken + (others if others and self._queue_is_empty() else [])
            self._left_over = {task_id: self._left_over.get(task_id, now) for task_id in left_over}
            for task_id, since in list(self._left_over.items()):
                if now - since > self._long:
                    del self._left_over[task_id]
                    self._send(task_id)

    def _send(self, task_id: str) -> None:
        if said := self._records().to_send_again(task_id, self._long):
            logger.warning("its message was lost, and is sent again", extra={"task_id": task_id})
            self._publish([(task_id, *said)])

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
