"""Sends messages to the broker, in batches of one round trip, and waits until the broker confirms them.

A web process uses `Publisher`, which does not block its event loop. A worker, which may block, calls `publish`.
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

#: How long RabbitMQ may take to confirm a message: less than submit waits.
CONFIRM_SECONDS = 1.0
#: A web process connects with short timeouts and one attempt, because an early 503 is better for the client than a long
#: wait. A worker's connection has no such limits: it waits for messages.
_SHORT_TIMEOUTS = {
    "socket_timeout": 1.0,
    "socket_connect_timeout": 1.0,
    "read_timeout": 1.0,  # these two are RabbitMQ's
    "write_timeout": 1.0,
    "max_retries": 1,
    "interval_start": 0,
}


class Message(NamedTuple):
    """The content of a task's message."""

    task_id: str
    prompt: str
    has_callback: bool
    carrier: Carrier  # the trace context


#: Sends one message with the given kombu producer.
Send = Callable[[Message, Any], None]


class Publisher:
    """Sends messages from a thread, because `apply_async` blocks."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self._producers = producers[celery.connection_for_write(transport_options=_SHORT_TIMEOUTS)]
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
        """Stop the thread, without waiting for a broker that hangs."""
        self._thread.shutdown(wait=False, cancel_futures=True)

    async def _publish_batch(self, messages: Sequence[Message]) -> Sequence[None]:
        await asyncio.get_running_loop().run_in_executor(self._thread, publish, self._producers, self._send, messages)
        return [None] * len(messages)


def publish(pool: Any, send: Send, messages: Sequence[Message]) -> None:
    """Send the messages with a producer from the pool, and return when the broker has them. It blocks."""
    with pool.acquire(block=True) as producer, _confirmed(producer):
        for message in messages:
            send(message, producer)


@contextmanager
def _confirmed(producer: Any) -> Iterator[None]:
    """At the end of the block, the broker has the messages that were published in it. Raises `OperationalError`.

    Redis gets them in one pipeline. RabbitMQ confirms each. After an error the connection is closed, because a late
    confirmation would be mistaken for that of the next message.
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
    """Read the frames that RabbitMQ has sent since the last message: it may have closed the connection."""
    if connection.connected:
        try:
            with suppress(socket.timeout):
                connection.drain_events(timeout=0.001)
        except connection.connection_errors:
            connection.collect()
