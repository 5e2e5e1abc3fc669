"""How messages get to the broker: from a web process without blocking its event loop, and confirmed by the broker.

A batch of messages goes in one round trip. A worker, which may block, calls `publish` itself.
"""

import asyncio
import socket
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from typing import Any, NamedTuple

from amqp.exceptions import MessageNacked
from kombu.exceptions import KombuError, OperationalError
from kombu.pools import producers
from redis.exceptions import RedisError

from patterns.celery_support.app import celery
from patterns.observability.tracing import Carrier
from patterns.redis_store.batching import Batcher
from patterns.tasks.store import Unavailable

#: How long RabbitMQ may take to confirm a message, well within what submit waits.
CONFIRM_SECONDS = 1.0
#: A web process's connection has short timeouts and one try: a client that waits is better off with a 503 now. A
#: worker's connection has none of these, because it is meant to wait for messages.
_IMPATIENT = {
    "socket_timeout": 1.0,
    "socket_connect_timeout": 1.0,
    "read_timeout": 1.0,  # these two are RabbitMQ's
    "write_timeout": 1.0,
    "max_retries": 1,
    "interval_start": 0,
}


class Message(NamedTuple):
    """What the worker that takes a task gets."""

    task_id: str
    prompt: str
    calls_back: bool
    carrier: Carrier  # continues the task's trace in the worker


#: Sends one message by the given kombu producer.
Send = Callable[[Message, Any], None]


class Publisher:
    """Sends messages without blocking the event loop: `apply_async` blocks, so a thread calls it."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self._producers = producers[celery.connection_for_write(transport_options=_IMPATIENT)]
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="publisher")
        self._publish = Batcher(self._publish_batch)

    async def publish(self, message: Message) -> None:
        """Return when the broker has the message. Raises `Unavailable`."""
        try:
            await self._publish(message)
        except (KombuError, OperationalError, RedisError, OSError) as error:
            raise Unavailable(
                f"The broker cannot be reached ({type(error).__name__}). Nothing was accepted."
            ) from error

    def close(self) -> None:
        """Release the thread, even if the broker hangs."""
        self._thread.shutdown(wait=False, cancel_futures=True)

    async def _publish_batch(self, messages: Sequence[Message]) -> Sequence[None]:
        await asyncio.get_running_loop().run_in_executor(self._thread, publish, self._producers, self._send, messages)
        return [None] * len(messages)


def publish(pool: Any, send: Send, messages: Sequence[Message]) -> None:
    """Send the messages by a producer of the pool, and return when the broker has them. Blocks."""
    with pool.acquire(block=True) as producer, _confirmed(producer):
        for message in messages:
            send(message, producer)


@contextmanager
def _confirmed(producer: Any) -> Iterator[None]:
    """When this block ends, the broker has the messages that were published in it. Raises `OperationalError`.

    Redis takes them in one go. RabbitMQ confirms each. A connection on which a confirmation may still be under way is
    dropped: the confirmation would be taken for that of the next message.
    """
    connection = producer.connection
    if connection.transport.driver_type != "amqp":
        with producer.batch():
            yield
        return
    _read_pending(connection)
    try:
        yield
    except (MessageNacked, *connection.connection_errors, *connection.channel_errors) as error:
        connection.collect()
        raise OperationalError(str(error)) from error
    except BaseException:
        connection.collect()
        raise


def _read_pending(connection: Any) -> None:
    """Read what RabbitMQ has sent since the last message, such as the end of the connection."""
    if connection.connected:
        try:
            with suppress(socket.timeout):
                connection.drain_events(timeout=0.001)
        except connection.connection_errors:
            connection.collect()
