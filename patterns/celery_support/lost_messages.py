"""What a worker does about messages that are lost: the record is still there, so it sends them again.

A broker may come back without its data. And over Redis a worker that dies just when it takes a message, before it has
noted that it has it, takes the message with it: kombu asks for one with BRPOP, and writes it down afterwards.
"""

import logging
import time
from contextlib import suppress

from celery import signals
from kombu.exceptions import KombuError
from redis.exceptions import RedisError

from patterns.celery_support.app import celery, process_settings, redelivered_after
from patterns.celery_support.publisher import Message, Send, publish
from patterns.celery_support.worker import records

logger = logging.getLogger("longjobs")

#: So often within the time that a message is given. A thousand workers that looked at each heartbeat would keep Redis
#: busy with the tasks that only wait.
_LOOKS = 10


def send_lost_messages_again(send: Send) -> None:
    """Have each worker look for lost messages now and then, and send them again by `send`."""
    losses: LostMessages | None = None

    def look(**_: object) -> None:
        nonlocal losses
        losses = losses or LostMessages(send, redelivered_after(process_settings()))
        losses.send_again()

    signals.worker_ready.connect(look, weak=False)
    signals.heartbeat_sent.connect(look, weak=False)


class LostMessages:
    """The tasks of which the broker may have no message any more.

    A message that is only late is in the queue, and nothing that was sent after it has been taken. One that a worker
    holds becomes a run before any worker may be dead, which takes it `long` seconds.

    Should the message be there after all, because it was put back behind others, the task has two. The second finds it
    finished, or at worst runs it again, as any redelivery may.
    """

    def __init__(self, send: Send, long: float) -> None:
        self._send = send
        self._long = long
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
            overtaken, others = records().unmoved(self._long)
            left_over = overtaken + (others if others and self._queue_is_empty() else [])
            self._left_over = {task_id: self._left_over.get(task_id, now) for task_id in left_over}
            for task_id, since in list(self._left_over.items()):
                if now - since > self._long:
                    del self._left_over[task_id]
                    self._publish(task_id)

    def _publish(self, task_id: str) -> None:
        if said := records().to_send_again(task_id, self._long):
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
