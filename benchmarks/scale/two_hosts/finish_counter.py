"""Counts how often each task is published as finished."""

import threading
from collections import Counter
from typing import Any

import redis


class FinishCounter:
    """Counts the messages on the channel of the shared Redis."""

    def __init__(self, url: str, channel: str) -> None:
        self.count: Counter[str] = Counter()
        self._ends = threading.Event()
        client: Any = redis.Redis.from_url(url, decode_responses=True)
        self._client = client  # kept: without a reference it would close the subscription's connection
        self._subscription = client.pubsub(ignore_subscribe_messages=True)
        self._subscription.subscribe(channel)
        self._thread = threading.Thread(target=self._listen, daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop counting."""
        self._ends.set()
        self._thread.join()
        self._subscription.close()
        self._client.close()

    def _listen(self) -> None:
        while not self._ends.is_set():
            if message := self._subscription.get_message(timeout=0.2):
                self.count[message["data"]] += 1
