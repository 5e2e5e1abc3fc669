"""Lost messages: the records still exist, so a worker sends the messages again.

A broker may restart without its data. And over Redis, a message is lost if a worker dies just when it takes it: kombu
removes it from the queue with BRPOP, and stores it as unacknowledged only afterwards.
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

#: Checks per `timeout`. If a thousand workers checked at each heartbeat, they would keep Redis busy.
_CHECKS_PER_TIMEOUT = 10


def resend_lost_messages(send: Send) -> None:
    """Let each worker check for lost messages at its heartbeats, and send them again with `send`."""

    @cache
    def lost_messages() -> LostMessages:
        return LostMessages(send, redelivered_after(process_settings()))

    def check(**_: object) -> None:
        lost_messages().resend()

    signals.worker_ready.connect(check, weak=False)
    signals.heartbeat_sent.connect(check, weak=False)


class LostMessages:
    """Finds the tasks whose message the broker has lost, and sends the message again.

    A message that waits is in the queue, and no later message has been taken before it. A message that a worker has
    taken is finished, or redelivered, within `timeout` seconds. If neither is true of a task for `timeout` seconds, its
    message is lost.

    If the message exists after all, because it was redelivered behind others, the task has two. The second one finds
    the task finished, or at worst runs it again, as any redelivery may.
    """

    def __init__(self, send: Send, timeout: float) -> None:
        self._send = send
        self._timeout = timeout
        #: Task ids, each with the time.monotonic() since when its message seems lost.
        self._suspects: dict[str, float] = {}
        self._checked_at = -timeout

    def resend(self) -> None:
        """Send lost messages again. It may be called often: it checks only at intervals."""
        now = time.monotonic()
        if now - self._checked_at < self._timeout / _CHECKS_PER_TIMEOUT:
            return
        self._checked_at = now
        with suppress(RedisError, KombuError, OSError):
            overtaken, others = records().stalled(self._timeout)
            suspects = overtaken + (others if others and self._queue_is_empty() else [])
            self._suspects = {task_id: self._suspects.get(task_id, now) for task_id in suspects}
            for task_id, since in list(self._suspects.items()):
                if now - since > self._timeout:
                    del self._suspects[task_id]
                    self._publish(task_id)

    def _publish(self, task_id: str) -> None:
        if content := records().claim_stalled(task_id, self._timeout):
            logger.warning("message lost, sending it again", extra={"task_id": task_id})
            publish(celery.producer_pool, self._send, [Message(task_id, *content)])

    def _queue_is_empty(self) -> bool:
        with celery.connection_for_write() as connection:
            # RabbitMQ would compare a declaration with the existing queue, so it is passive. Over Redis a passive one
            # fails, because kombu ignores the key prefix.
            passive = connection.transport.driver_type == "amqp"
            name = celery.conf.task_default_queue
            try:
                queue = connection.default_channel.queue_declare(name, passive=passive)
            except connection.channel_errors:
                return True  # the broker has lost the queue too
        return bool(queue.message_count == 0)
