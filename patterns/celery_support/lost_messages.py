"""Lost messages: the record is still there, so a worker sends the message again.

A broker may come back without its data. And over Redis, a worker that dies just when it takes a message takes the
message with it: kombu removes it from the queue with BRPOP, and notes only afterwards that a worker has it.
"""

import logging
import time
from contextlib import suppress
from functools import cache

from celery import signals
from kombu.exceptions import KombuError
from redis.exceptions import RedisError

from patterns.celery_support.app import celery, process_settings, redelivered_after
from patterns.celery_support.publisher import Message, Send, publish
from patterns.celery_support.worker import records

logger = logging.getLogger("longjobs")

#: How often a worker looks within the time after which a message counts as lost. If a thousand workers looked at each
#: heartbeat, they would keep Redis busy with tasks that only wait.
_LOOKS = 10


def send_lost_messages_again(send: Send) -> None:
    """Have each worker look for lost messages now and then, and send them again by `send`."""

    @cache
    def lost_messages() -> LostMessages:
        return LostMessages(send, redelivered_after(process_settings()))

    def look(**_: object) -> None:
        lost_messages().send_again()

    signals.worker_ready.connect(look, weak=False)
    signals.heartbeat_sent.connect(look, weak=False)


class LostMessages:
    """The tasks of which the broker may have no message any more.

    A message that only waits is in the queue, and no message sent after it has been taken. A message that a worker
    holds is run, or given to another worker, within `long` seconds.

    If the message is there after all, because it was put back behind others, the task has two. The second finds the
    task finished, or at worst runs it again, as any redelivery may.
    """

    def __init__(self, send: Send, long: float) -> None:
        self._send = send
        self._long = long
        #: The tasks that have not moved although it was their turn, and since when, on time.monotonic().
        self._left_over: dict[str, float] = {}
        self._looked = -long

    def send_again(self) -> None:
        """Send the messages of the tasks that have not moved for long, although it was their turn. Called often."""
        now = time.monotonic()
        if now - self._looked < self._long / _LOOKS:
            return
        self._looked = now
        with suppress(RedisError, KombuError, OSError):
            overtaken, others = records().stalled(self._long)
            left_over = overtaken + (others if others and self._queue_is_empty() else [])
            self._left_over = {task_id: self._left_over.get(task_id, now) for task_id in left_over}
            for task_id, since in list(self._left_over.items()):
                if now - since > self._long:
                    del self._left_over[task_id]
                    self._publish(task_id)

    def _publish(self, task_id: str) -> None:
        if said := records().claim_stalled(task_id, self._long):
            logger.warning("its message was lost, and is sent again", extra={"task_id": task_id})
            publish(celery.producer_pool, self._send, [Message(task_id, *said)])

    def _queue_is_empty(self) -> bool:
        with celery.connection_for_write() as connection:
            # Passive asks without making one, which RabbitMQ would compare with the one that it has. For Redis a queue
            # is a list, and kombu looks for it under the wrong name where there is a prefix.
            passive = connection.transport.driver_type == "amqp"
            name = celery.conf.task_default_queue
            try:
                queue = connection.default_channel.queue_declare(name, passive=passive)
            except connection.channel_errors:
                return True  # the broker has lost the queue too
        return bool(queue.message_count == 0)
