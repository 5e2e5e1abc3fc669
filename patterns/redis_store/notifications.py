"""Notifications from Redis: one subscription of a web process wakes its long polls and its streams."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from redis.asyncio import Redis
from redis.exceptions import RedisError

from patterns.redis_store.keys import Keys
from patterns.tasks.notifier import Notifier

#: A pause before the next attempt to subscribe, in seconds.
_RETRY_SECONDS = 0.5


class Notifications:
    """Listens to the changes of all tasks, and passes them on to those that wait in this process."""

    def __init__(self, client: Redis, keys: Keys) -> None:
        #: Notified when a task is finished.
        self.finished = Notifier()
        #: Notified of each change.
        self.changed = Notifier()
        self._redis = client
        self._keys = keys

    @asynccontextmanager
    async def listening(self) -> AsyncIterator[None]:
        """Be subscribed for as long as the block lasts, except while Redis cannot be reached."""
        listener = asyncio.create_task(self._listen())
        try:
            yield
        finally:
            listener.cancel()

    def close(self) -> None:
        """End all waiting."""
        self.finished.close()
        self.changed.close()

    async def _listen(self) -> None:
        while True:
            try:
                async with self._redis.pubsub() as subscription:
                    await subscription.subscribe(self._keys.finished_channel, self._keys.changed_channel)
                    while True:
                        if message := await subscription.get_message(timeout=5):
                            self._pass_on(message)
            except (RedisError, OSError):
                await asyncio.sleep(_RETRY_SECONDS)

    def _pass_on(self, message: dict[str, Any]) -> None:
        if message["type"] == "subscribe":  # notifications before it were missed
            self.finished.notify_all()
            self.changed.notify_all()
        elif message["type"] == "message":
            self.changed.notify(message["data"])
            if message["channel"] == self._keys.finished_channel:
                self.finished.notify(message["data"])
